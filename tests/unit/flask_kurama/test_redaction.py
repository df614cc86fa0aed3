"""Credentials in a URL's query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_kurama.redaction import redact


@pytest.mark.parametrize(
    "name",
    "token access_token accessToken csrf-token password passwd user[password] pwd secret "
    "client_secret key api_key apiKey apikey X-Api-Key API_KEYS signature sig X-Amz-Signature code "
    "auth_code signingKey auth oauth authorization credential session sessionid jwt otp pin "
    "%74oken pass%77ord Token PASSWORD".split(),
)
def test_a_credentials_value_is_hidden(name: str) -> None:
    """Whatever the spelling: case, camels, brackets, percent escapes."""
    assert redact(f"http://h/p?a=1&{name}=hush&z=2") == f"http://h/p?a=1&{name}=[redacted]&z=2"


@pytest.mark.parametrize("name", "q keyword monkey author barcode opinion design page zip".split())
def test_other_values_stay(name: str) -> None:
    """A word that only contains one is another word."""
    url = f"http://h/p?{name}=shown"
    assert redact(url) == url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h/token=x", "http://h/token=x"),
        ("http://h/?token=", "http://h/?token="),
        ("http://h/?token", "http://h/?token"),
        ("http://h/?token=a=b", "http://h/?token=[redacted]"),
        ("http://h/?a=1;token=x", "http://h/?a=1;token=[redacted]"),
        ("http://h/?token=x?y", "http://h/?token=[redacted]"),
        ("http://h/?", "http://h/?"),
    ],
)
def test_only_the_querys_values_are_touched(url: str, shown: str) -> None:
    """Paths stay, and values go up to the next separator."""
    assert redact(url) == shown


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="&;"), min_size=1))
def test_no_secret_is_left_over(before: str, secret: str) -> None:
    """Whatever stands before it in the query."""
    assert redact(f"http://h/?{before}&token={secret}").endswith("&token=[redacted]")
