"""What a deploy has said so far, for whoever follows it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.deploys.progress import Progress

# What is kept of a build's output: this many lines, the cut in their middle.
MOST = 5000
MIDDLE = MOST // 2


def said(count: int) -> Progress:
    """A deploy that has said so many numbered lines."""
    progress = Progress()
    for number in range(count):
        progress.add(str(number))
    return progress


def test_a_follower_sees_each_line_once() -> None:
    """Where it left off, and whether that was all."""
    progress = Progress()
    assert progress.since(0) == ([], 0, False)
    progress.add("a")
    progress.add("b")
    assert progress.since(0) == (["a", "b"], 2, False)
    progress.add("c")
    progress.end()
    assert progress.since(2) == (["c"], 3, True)
    assert progress.since(3) == ([], 3, True)


def test_a_long_output_is_cut_in_its_middle() -> None:
    """The beginning says what was built, the end why it failed."""
    lines = said(MOST + 700).text.splitlines()
    assert lines[MIDDLE - 1 : MIDDLE + 2] == [
        str(MIDDLE - 1),
        "       (output cut here)",
        str(MIDDLE + 700),
    ]
    assert (lines[0], lines[-1], len(lines)) == ("0", str(MOST + 699), MOST + 1)


def test_an_output_that_just_fits_is_whole() -> None:
    """Not a line is cut, and nothing says so."""
    assert said(MOST).text == "\n".join(map(str, range(MOST)))


@pytest.mark.parametrize("more", [0, 1, 700, MOST])
def test_a_slow_follower_gets_what_is_left_and_nothing_twice(more: int) -> None:
    """Wherever it stood when the middle was cut."""
    progress = said(MOST + more)
    kept = [*range(MIDDLE), *range(MIDDLE + more, MOST + more)]
    for seen in (0, 1, MIDDLE - 1, MIDDLE, MIDDLE + 1, MIDDLE + 350, MOST - 1, MOST):
        lines, now, _ = progress.since(seen)
        assert lines == [str(number) for number in kept if number >= seen]
        assert now == MOST + more


@settings(max_examples=30)
@given(st.lists(st.integers(0, 900), max_size=20))
def test_followers_of_any_pace_agree(pauses: list[int]) -> None:
    """However many lines come between two looks: none twice, the order kept, the last one last."""
    progress = Progress()
    found: list[int] = []
    seen = said_so_far = 0
    for pause in [*pauses, 1]:
        for number in range(said_so_far, said_so_far + pause):
            progress.add(str(number))
        said_so_far += pause
        lines, seen, _ = progress.since(seen)
        found += map(int, lines)
    assert found == sorted(set(found))
    assert found[-1] == said_so_far - 1


def test_listeners_hear_of_each_change_until_they_leave() -> None:
    """Of lines and of the end; one that leaves while it is called is not called again."""
    progress = Progress()
    heard: list[str] = []
    leave = progress.listen(lambda: heard.append("a"))
    progress.listen(lambda: heard.append("b"))
    progress.add("line")
    assert sorted(heard) == ["a", "b"]
    leave()
    leave()
    progress.end()
    assert sorted(heard) == ["a", "b", "b"]


def test_waiting_ends_with_the_deploy() -> None:
    """Or with the time."""
    progress = Progress()
    assert not progress.wait(0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(progress.wait, 10)
        progress.end()
        assert waiting.result()
    assert progress.wait(0)
