"""What all tests share: waiting without sleeping, and skips that can't hide in CI."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")
_POLL_S = 0.05


def eventually(predicate: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """Return what `predicate` returns once it is true; fail, with its last value, if it never is.

    An AssertionError in it counts as not yet true.
    """
    deadline = time.monotonic() + timeout
    last: T | AssertionError
    while True:
        try:
            found = predicate()
            if found:
                return found
            last = found
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout} s: {what or 'the predicate'}; at last: {last!r}")
        time.sleep(_POLL_S)


def needs(condition: bool, reason: str) -> None:
    """Skip, loudly, what can't run on this machine; under CI=true that is a failure."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must be able to run this: {reason}")
    pytest.skip(reason)
