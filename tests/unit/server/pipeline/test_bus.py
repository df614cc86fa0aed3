"""Where records travel: subjects, and what may be a word of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.pipeline.bus import subject, token


def test_a_subject_names_app_and_process() -> None:
    """A reader of one app gets no other's."""
    assert subject("shop", "web") == "records.shop.web"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("shop", "shop"),
        ("a.b", "a_b"),
        ("*", "_"),
        (">", "_"),
        ("a b\n", "a_b_"),
        ("", "_"),
        (7, "7"),
    ],
)
def test_what_has_a_meaning_in_a_subject_loses_it(text: object, word: str) -> None:
    """A record of an outside source can't be published under two names, or all."""
    assert token(text) == word


@given(st.text() | st.integers() | st.none() | st.lists(st.text()))
def test_a_token_is_always_one_short_word(value: object) -> None:
    """Whatever came as JSON."""
    word = token(value)
    assert 1 <= len(word) <= 63
    assert word.isascii()
    assert not set(word) & set(" .*>\t\r\n\0")
