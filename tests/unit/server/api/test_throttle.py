"""Who guesses passwords is slowed down; who mistypes one is not."""

import pytest

from server.api.throttle import Throttle
from server.errors import TooManyRequests
from tests.unit.clock import Clock

MOST = 10
WINDOW_S = 300.0


def refused(throttle: Throttle, key: str) -> bool:
    """Whether this one must wait."""
    try:
        throttle.check(key)
    except TooManyRequests:
        return True
    return False


def fail(throttle: Throttle, key: str, times: int = MOST) -> None:
    """So many wrong passwords."""
    for _ in range(times):
        throttle.failed(key)


def test_ten_wrong_passwords_are_too_many() -> None:
    """Nine are not; and the error says how long."""
    throttle = Throttle(Clock())
    fail(throttle, "a@b", MOST - 1)
    assert not refused(throttle, "a@b")
    fail(throttle, "a@b", 1)
    with pytest.raises(TooManyRequests) as caught:
        throttle.check("a@b")
    assert "five minutes" in caught.value.hint


def test_nobody_pays_for_another() -> None:
    """Keys are apart."""
    throttle = Throttle(Clock())
    fail(throttle, "a@b")
    assert not refused(throttle, "c@d")


def test_asking_counts_for_nothing() -> None:
    """Only a failure does."""
    throttle = Throttle(Clock())
    for _ in range(100):
        throttle.check("a@b")
    assert not refused(throttle, "a@b")


def test_after_the_window_one_may_try_again() -> None:
    """Each failure leaves it by itself."""
    clock = Clock()
    throttle = Throttle(clock)
    fail(throttle, "a@b", 5)
    clock.now += WINDOW_S / 2
    fail(throttle, "a@b", 5)
    clock.now += WINDOW_S / 2 - 1
    assert refused(throttle, "a@b")
    clock.now += 2
    assert not refused(throttle, "a@b")
    fail(throttle, "a@b", 5)
    assert refused(throttle, "a@b")


def test_the_memory_has_a_bound() -> None:
    """Of many keys the one that failed longest ago is forgotten first."""
    throttle = Throttle(Clock())
    fail(throttle, "first")
    fail(throttle, "second")
    fail(throttle, "first", 1)
    for number in range(9_999):
        throttle.failed(f"x{number}")
    assert refused(throttle, "first")
    assert not refused(throttle, "second")
