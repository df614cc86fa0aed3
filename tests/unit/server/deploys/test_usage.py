"""What each replica uses, from two looks at counters."""

from typing import Any

import pytest

from server.deploys.usage import Usage, Use
from tests.unit.clock import Clock


def look(instance: str, cpu_s: float | None, memory: int | None = 1) -> dict[str, Any]:
    """One replica in a worker's statistics."""
    return {"instance": instance, "cpu_s": cpu_s, "memory": memory}


def test_two_looks_make_a_percentage_of_the_limit() -> None:
    """Half a second of CPU in two, of two cores: 12.5 percent."""
    clock = Clock()
    usage = Usage(2.0, clock)
    usage.observe([look("a", 10.0, 7)])
    assert usage.of("a") == Use(7, None)
    clock.now += 2
    usage.observe([look("a", 10.5, 8)])
    assert usage.of("a") == Use(8, 12.5)


@pytest.mark.parametrize(
    ("before", "after", "passed"), [(None, 1.0, 1), (1.0, None, 1), (5.0, 1.0, 1), (1.0, 2.0, 0)]
)
def test_what_can_not_be_known_is_none(
    before: float | None, after: float | None, passed: float
) -> None:
    """No counter, one that began anew, or no time between the looks: never a made-up number."""
    clock = Clock()
    usage = Usage(1.0, clock)
    usage.observe([look("a", before)])
    clock.now += passed
    usage.observe([look("a", after)])
    assert usage.of("a").cpu_percent is None


def test_who_is_gone_is_forgotten() -> None:
    """And who comes back begins anew."""
    clock = Clock()
    usage = Usage(1.0, clock)
    usage.observe([look("a", 1.0), look("b", 1.0)])
    clock.now += 1
    usage.observe([look("b", 1.5)])
    assert usage.of("a") == Use(None, None)
    assert usage.of("b").cpu_percent == 50.0
    clock.now += 1
    usage.observe([look("a", 1.9)])
    assert usage.of("a").cpu_percent is None
