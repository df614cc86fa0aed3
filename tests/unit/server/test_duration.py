"""Lengths of time as people write and read them."""

from datetime import timedelta

import pytest

from server import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("2h", 7200),
        ("7d", 604_800),
        ("1w", 604_800),
        ("250ms", 0.25),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 1.5 H ", 5400),
        ("90", 90),
        ("0.5", 0.5),
        ("0s", 0),
    ],
)
def test_a_length_of_time_is_understood(text: str, seconds: float) -> None:
    """With a unit, with several, or as plain seconds."""
    assert duration.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", " ", "soon", "m5", "-5m", "5m-3s", "5mm", "1.2.3s", "5 minutes", "1e3s", "∞"]
)
def test_what_states_no_length_of_time_is_refused(text: str) -> None:
    """Rather than read in part."""
    with pytest.raises(ValueError, match="is no length of time"):
        duration.parse(text)


@pytest.mark.parametrize("text", ["99999999999w", "9" * 400, "9" * 400 + "d"])
def test_more_than_there_is_is_refused(text: str) -> None:
    """As a wrong value, in a short message, and not as an overflow."""
    with pytest.raises(ValueError, match="is too long a time") as caught:
        duration.parse(text)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.84, "0.8 s"),
        (12.3, "12 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "60 min"),
        (3600, "1 h"),
        (172_799, "48 h"),
        (172_800, "2 days"),
    ],
)
def test_a_length_of_time_is_written_short(seconds: float, text: str) -> None:
    """In the unit that says most."""
    assert duration.short(seconds) == text
