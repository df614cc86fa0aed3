"""How long the parts of a deploy take."""

import pytest

from server.deploys.stopwatch import Stopwatch
from tests.unit.clock import Clock


def test_laps_add_up_by_name() -> None:
    """In the order in which they began, with all of it at the end."""
    clock = Clock()
    watch = Stopwatch(clock)
    with watch.lap("build"):
        clock.now += 2
    clock.now += 0.5
    with watch.lap("probe"):
        clock.now += 1
    with watch.lap("build"):
        clock.now += 0.25
    assert watch.laps_s == {"build": 2.25, "probe": 1.0, "total": 3.75}
    assert list(watch.laps_s) == ["build", "probe", "total"]
    assert watch.total_s == 3.75


def test_a_lap_that_fails_counts_too() -> None:
    """How long a build took until it failed is what one wants to know."""
    clock = Clock()
    watch = Stopwatch(clock)

    def build() -> None:
        with watch.lap("build"):
            clock.now += 3
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        build()
    assert watch.laps_s["build"] == 3


def test_before_any_lap_there_is_only_the_total() -> None:
    """Rounded to a tenth of a millisecond."""
    clock = Clock()
    watch = Stopwatch(clock)
    clock.now += 0.123456
    assert watch.laps_s == {"total": 0.1235}
