"""What a request says of itself, from WSGI environments as servers make them."""

import json
from typing import Any

import pytest

from flask_kurama.inbound import KEY, Inbound, queue_ms

NOW_MS = 1_795_439_520_123.0


def environ(**changes: Any) -> dict[str, Any]:
    """The least that PEP 3333 asks for."""
    least = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/items/3",
        "QUERY_STRING": "",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "5080",
        "wsgi.url_scheme": "http",
    }
    return {key: value for key, value in (least | changes).items() if value is not None}


def url(**changes: Any) -> object:
    """The URL that a record would carry."""
    return json.loads(Inbound(environ(**changes)).url)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "http://shop.example:5080/items/3"),
        ({"HTTP_HOST": "www.shop.example"}, "http://www.shop.example/items/3"),
        ({"wsgi.url_scheme": "https"}, "https://shop.example:5080/items/3"),
        ({"QUERY_STRING": "q=a%20b"}, "http://shop.example:5080/items/3?q=a%20b"),
        ({"SCRIPT_NAME": "/mounted"}, "http://shop.example:5080/mounted/items/3"),
        ({"PATH_INFO": ""}, "http://shop.example:5080/"),
        ({"PATH_INFO": None, "SCRIPT_NAME": None}, "http://shop.example:5080/"),
        ({"PATH_INFO": "/caf\xc3\xa9 ?"}, "http://shop.example:5080/caf%C3%A9%20%3F"),
        ({"RAW_URI": "/caf%C3%A9?q=1"}, "http://shop.example:5080/caf%C3%A9?q=1"),
        ({"REQUEST_URI": "/raw?q=1"}, "http://shop.example:5080/raw?q=1"),
        ({"RAW_URI": "http://other.example/x"}, "http://other.example/x"),
        ({"RAW_URI": "/?token=hush"}, "http://shop.example:5080/?token=[redacted]"),
        ({"RAW_URI": '/"\\\xe9\udcff'}, 'http://shop.example:5080/"\\\xe9\udcff'),
    ],
)
def test_the_url_is_what_the_client_asked_for(changes: dict[str, Any], shown: str) -> None:
    """As it wrote it where the server tells, else put together; credentials never."""
    assert url(**changes) == shown


def test_a_long_url_is_cut_before_anything_is_done_with_it() -> None:
    """And what is left of a credential at the cut is hidden too."""
    shown = url(RAW_URI="/?token=" + "x" * 100_000)
    assert shown == "http://shop.example:5080/?token=[redacted]"
    assert len(str(url(RAW_URI="/" + "x" * 100_000))) < 8300


def test_the_path_of_the_message_has_no_query() -> None:
    """Nor does it need to be redacted, then."""
    assert Inbound(environ(RAW_URI="/items/3?token=x")).path == "/items/3"


@pytest.mark.parametrize("verb", ["GET", "PURGE", 'G"'])
def test_the_method_is_any_string(verb: str) -> None:
    """Clients may write what they like, up to a bound."""
    assert json.loads(Inbound(environ(REQUEST_METHOD=verb)).method) == verb
    assert len(json.loads(Inbound(environ(REQUEST_METHOD=verb * 100)).method)) == 32


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        (f"{NOW_MS - 250:.0f}", 250),
        (f"t={NOW_MS - 250:.0f}", 250),
        (f"t={(NOW_MS - 250) / 1e3:.3f}", 250),
        (f"t={(NOW_MS - 250) * 1e3:.0f}", 250),
        (f"{(NOW_MS - 250) * 1e6:.0f}", 250),
        (f" t={NOW_MS - 250} ", 250),
        (f"t={NOW_MS + 900:.0f}", 0),
        (f"t={NOW_MS + 1100:.0f}", None),
        (f"t={NOW_MS - 86_300_000:.0f}", 86_300_000),
        (f"t={NOW_MS - 86_500_000:.0f}", None),
        ("t=0", None),
        ("t=-5", None),
        ("t=", None),
        ("", None),
        ("t=nan", None),
        ("t=inf", None),
        ("t=1e999", None),
        ("now", None),
        ("9" * 10_000, None),
    ],
)
def test_the_queues_time_from_the_units_that_routers_write(
    header: str, waited: float | None
) -> None:
    """Seconds, milliseconds, microseconds, nanoseconds; absurd times are no times."""
    found = queue_ms(header, NOW_MS)
    if waited is None:
        assert found is None
    else:
        assert found == pytest.approx(waited, abs=1)


def test_without_the_header_the_queues_time_is_null() -> None:
    """It is not zero: nobody has measured it."""
    assert Inbound(environ()).queue_ms == "null"
    assert Inbound(environ(HTTP_X_REQUEST_START="never")).queue_ms == "null"


@pytest.mark.parametrize(
    ("header", "kept"),
    [("rid-1", "rid-1"), ("a b\tc\né", "a bc"), ("x" * 500, "x" * 128), ('a"b', 'a"b')],
)
def test_the_request_id_is_the_routers(header: str, kept: str) -> None:
    """At most 128 printable ASCII characters of it."""
    assert json.loads(Inbound(environ(HTTP_X_REQUEST_ID=header)).request_id) == kept


@pytest.mark.parametrize("header", [None, "", "\x00\xff"])
def test_a_request_without_an_id_gets_one(header: str | None) -> None:
    """Each its own."""
    ids = {Inbound(environ(HTTP_X_REQUEST_ID=header)).request_id for _ in range(100)}
    assert len(ids) == 100


def test_a_request_that_is_passed_on_keeps_its_id() -> None:
    """One application that calls another with its own environment."""
    outer = Inbound(environ())
    assert Inbound(environ(**{KEY: outer})).request_id == outer.request_id
