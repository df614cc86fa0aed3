"""The files that say which replicas answer for an app."""

import itertools
from collections import Counter
from pathlib import Path

import pytest

from server.errors import RouterError
from server.router.slots import NOWHERE, SLOTS, Slots


def slots(folder: Path) -> list[str]:
    """What stands in each slot, in order."""
    return [(folder / "upstream" / str(slot)).read_text() for slot in range(SLOTS)]


def addresses(count: int) -> list[str]:
    """So many replicas."""
    return [f"127.0.0.1:{20_000 + n}" for n in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 60])
def test_shares_are_exactly_even(tmp_path: Path, count: int) -> None:
    """Sixty divides by most numbers of replicas that there are."""
    Slots(tmp_path).point_at(addresses(count))
    assert set(Counter(slots(tmp_path)).values()) == {SLOTS // count}


@pytest.mark.parametrize("count", [1, 7, 31, 59])
def test_shares_never_differ_by_more_than_one_slot(tmp_path: Path, count: int) -> None:
    """And every replica has one; neighbours are different replicas."""
    Slots(tmp_path).point_at(addresses(count))
    shares = Counter(slots(tmp_path))
    assert set(shares) == set(addresses(count)) == Slots(tmp_path).addresses()
    assert max(shares.values()) - min(shares.values()) <= 1
    found = slots(tmp_path)
    assert count == 1 or all(a != b for a, b in itertools.pairwise(found))


def test_no_replica_means_nowhere(tmp_path: Path) -> None:
    """A port at which nothing listens, and which is no address of the app."""
    one = Slots(tmp_path)
    one.point_at(addresses(3))
    one.point_at([])
    assert set(slots(tmp_path)) == {NOWHERE}
    assert one.addresses() == set()


def test_before_the_first_deploy_there_are_no_addresses(tmp_path: Path) -> None:
    """Nor is anything served, or shown."""
    one = Slots(tmp_path / "new")
    assert one.addresses() == set()
    assert not one.serving
    assert not one.shows(503, "page")


def test_a_page_is_shown_at_once_or_when_nobody_answers(tmp_path: Path) -> None:
    """`serving` says which; what is shown can be asked."""
    one = Slots(tmp_path / "shop")
    one.show(503, "crashed", serving=False)
    assert one.shows(503, "crashed")
    assert not one.shows(502, "crashed")
    assert not one.shows(503, "other")
    one.show(502, "no answer", serving=True)
    assert Slots(tmp_path / "shop").serving
    assert not one.shows(502, "no answer")
    files = {path.name: path.read_text() for path in (tmp_path / "shop").iterdir()}
    assert files == {"serving": "yes", "status": "502", "page": "no answer"}


def test_a_switch_leaves_no_other_files(tmp_path: Path) -> None:
    """Caddy may be asked for any of them at any moment: each is renamed into its place."""
    one = Slots(tmp_path)
    one.point_at(addresses(2))
    one.point_at(addresses(3))
    assert {path.name for path in (tmp_path / "upstream").iterdir()} == set(map(str, range(SLOTS)))


def test_what_is_so_already_is_not_written(tmp_path: Path) -> None:
    """A reader that holds the file open goes on with it."""
    one = Slots(tmp_path)
    one.point_at(addresses(2))
    before = (tmp_path / "upstream" / "0").stat().st_ino
    one.point_at(addresses(2))
    assert (tmp_path / "upstream" / "0").stat().st_ino == before
    one.point_at(addresses(3)[1:])
    assert (tmp_path / "upstream" / "0").stat().st_ino != before


def test_others_can_not_read_them(tmp_path: Path) -> None:
    """An app's replicas and pages are nobody's business."""
    Slots(tmp_path / "shop").point_at([])
    assert (tmp_path / "shop" / "upstream").stat().st_mode & 0o077 == 0


def test_removing_leaves_nothing_and_may_be_done_twice(tmp_path: Path) -> None:
    """A deletion that was cut off is done again."""
    one = Slots(tmp_path / "shop")
    one.point_at([])
    one.remove()
    one.remove()
    assert not (tmp_path / "shop").exists()


def test_a_file_that_can_not_be_written_is_an_error_of_the_router(tmp_path: Path) -> None:
    """With the path, and where to look."""
    (tmp_path / "status").mkdir()
    with pytest.raises(RouterError, match="status can't be written") as caught:
        Slots(tmp_path).show(503, "page", serving=False)
    assert "doctor" in caught.value.hint


def test_caddy_is_told_the_file_of_each_slot(tmp_path: Path) -> None:
    """The same files that are written."""
    Slots(tmp_path).point_at(addresses(1))
    named = [
        one.removeprefix("{file.").removesuffix("}")
        for one in Slots.upstream_placeholders(tmp_path)
    ]
    assert sorted(named) == sorted(map(str, (tmp_path / "upstream").iterdir()))
