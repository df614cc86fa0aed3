"""Which replicas serve, where they listen, and how many there should be."""

from datetime import UTC, datetime

import pytest

from server.deploys.changes import ConfigChange, check_quantities, for_detection
from server.deploys.rollout import addresses, current, formation
from server.errors import RequestRejected
from server.models import (
    App,
    ConfigVariable,
    Image,
    Release,
    ReleaseState,
    Replica,
    ReplicaState,
)

NOW = datetime(2026, 1, 31, tzinfo=UTC)
APP = App(1, "shop", 1, 1, NOW, "a@b", 2)
PROCESSES = {"worker": "python w.py", "web": "gunicorn app", "clock": "python c.py"}
IMAGE = Image(1, 1, "img", "c" * 40, PROCESSES, None, "3.12", NOW)
RELEASE = Release(1, 1, 2, 1, {}, "Deploy", ReleaseState.LIVE, "a@b", NOW)


def replica(
    process: str,
    number: int,
    release: int = 2,
    created_at: float = 0.0,
    state: ReplicaState = ReplicaState.RUNNING,
) -> Replica:
    """A replica whose port says which it is."""
    port = 20_000 + number + round(created_at)
    name = f"{process}-{number}-{release}-{created_at}"
    return Replica(
        name, "shop", release, process, number, "local", "127.0.0.1", port, state, created_at
    )


def test_visitors_are_sent_to_web_replicas_only() -> None:
    """By host and port."""
    assert addresses([replica("worker", 1), replica("web", 2)]) == ["127.0.0.1:20002"]


def test_what_serves_is_the_newest_of_each_number_of_the_release() -> None:
    """Not an older release's, not what is on its way out, not the one that was replaced."""
    old = replica("web", 1, release=1)
    replaced = replica("web", 1, created_at=1)
    web, second = replica("web", 1, created_at=5), replica("web", 2)
    going = replica("web", 3, state=ReplicaState.STOPPING)
    gone = replica("web", 2, created_at=9, state=ReplicaState.STOPPED)
    worker = replica("worker", 1)
    found = current([worker, web, old, going, gone, replaced, second], RELEASE)
    assert found == [web, second, worker]


def test_a_crashed_replica_is_still_one_of_them() -> None:
    """The reconciler decides what becomes of it."""
    crashed = replica("web", 1, state=ReplicaState.CRASHED)
    assert current([crashed], RELEASE) == [crashed]


def test_each_process_runs_once_unless_more_are_wanted() -> None:
    """web first; what the image has not is not run; zero is a number too."""
    found = formation(IMAGE, {"web": 3, "clock": 0, "gone": 2})
    assert found == {"web": 3, "clock": 0, "worker": 1}
    assert next(iter(found)) == "web"


@pytest.mark.parametrize("count", [0, 1, 60])
def test_quantities_within_bounds_are_taken(count: int) -> None:
    """Up to as many as the router has slots."""
    check_quantities(APP, IMAGE, {"web": count})


@pytest.mark.parametrize(
    ("process", "count", "says"),
    [
        ("web", -1, "web=-1 is out of bounds"),
        ("worker", 61, "out of"),
        ("wb", 1, "no process 'wb'"),
    ],
)
def test_quantities_out_of_bounds_are_refused(process: str, count: int, says: str) -> None:
    """And processes that the Procfile has not, with those that it has."""
    with pytest.raises(RequestRejected, match=says) as caught:
        check_quantities(APP, IMAGE, {process: count})
    assert caught.value.hint


def test_a_config_change_is_described_by_names_alone() -> None:
    """Values may be secret; and a description has a bound."""
    change = ConfigChange([ConfigVariable("A", "hush"), ConfigVariable("B", "hush")], ["C"])
    assert change.description == "Set A, B; Unset C"
    many = ConfigChange([ConfigVariable(f"V{n}", "x") for n in range(100)], [])
    assert len(many.description) == 200


def test_detection_sees_only_what_decides_the_build() -> None:
    """An app's secrets are none of the builder's business."""
    assert for_detection({"FLASK_APP": "shop:app", "API_KEY": "hush"}) == {"FLASK_APP": "shop:app"}
