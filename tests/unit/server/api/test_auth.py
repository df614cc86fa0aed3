"""Which token a request shows."""

import base64

import pytest

from server.api.auth import token_in


def basic(text: str) -> str:
    """A header as git sends it."""
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer t", "t"),
        ("bearer  t ", "t"),
        (basic("kurama:t"), "t"),
        (basic(":t"), "t"),
        (basic("anybody:t:u"), "t:u"),
        (basic("kurama:").replace("Basic", "BASIC"), ""),
    ],
)
def test_a_token_is_a_bearers_or_gits_password(header: str, token: str) -> None:
    """Whatever the user's name; it may have colons."""
    assert token_in(header) == token


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "t",
        "Digest t",
        "Basic",
        "Basic !",
        "Basic dA",
        "Basic /w==",
        basic("t"),
    ],
)
def test_what_shows_no_token_shows_none(header: str) -> None:
    """Half a header, another scheme, what is no base64, no UTF-8, or has no colon."""
    assert token_in(header) == ""
