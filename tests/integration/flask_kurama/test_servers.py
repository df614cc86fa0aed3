"""The library in real servers, with an application that knows nothing of it."""

import concurrent.futures
import contextlib
import http.client
import importlib.util
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually, needs
from tests.integration.flask_kurama.servers import SERVERS, Server, customize, serving

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def customized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What makes an interpreter begin with `import flask_kurama.auto`."""
    return customize(tmp_path_factory.mktemp("customized"))


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, customized: Path) -> Iterator[Server]:
    """Each kind of server in turn, one for all tests of a kind."""
    module = request.param.split()[0]
    needs(importlib.util.find_spec(module) is not None, f"{module} is not installed")
    with serving(SERVERS[request.param], customized) as running:
        yield running


def request_record(server: Server, request_id: str) -> dict[str, Any]:
    """The record of a request, when it has come."""

    def found() -> list[dict[str, Any]]:
        records = server.stdout.of_request(request_id)
        return [record for record in records if record["duration_ms"] is not None]

    (record,) = eventually(found)
    return record


def test_a_request(server: Server) -> None:
    """Its URL without credentials, its route, status and times."""
    started = f"t={time.time() * 1000 - 250:.0f}"
    server.get("/items/3?q=a%20b&token=x", X_Request_Id="item", X_Request_Start=started)
    record = request_record(server, "item")
    assert record["url"] == f"http://127.0.0.1:{server.port}/items/3?q=a%20b&token=[redacted]"
    assert (record["level"], record["status"], record["method"]) == ("INFO", 200, "GET")
    assert record["route"] == "/items/<int:number>"
    assert record["message"] == f"GET /items/3 200 in {record['duration_ms']:.1f} ms"
    assert 250 <= record["queue_ms"] < 5000
    assert 0 < record["duration_ms"] < 5000


def test_load_is_sampled(server: Server) -> None:
    """Disk and memory from the first record on, CPU after a second."""

    def sampled() -> bool:
        server.get("/items/1", X_Request_Id="load")
        return server.stdout.of_request("load")[-1]["cpu_percent"] is not None

    eventually(
        lambda: server.get("/items/1", X_Request_Id="load") and server.stdout.of_request("load")
    )
    first = server.stdout.of_request("load")[0]
    assert 0 < first["disk_percent"] < 100
    assert 0 < first["memory_percent"] < 100
    assert eventually(sampled)


def test_logging_and_printing_within_a_request(server: Server) -> None:
    """Whatever logger; in the order in which it was said; below INFO nothing."""
    server.get("/say", X_Request_Id="say")
    request_record(server, "say")
    said, warned, done = server.stdout.of_request("say")
    assert (said["level"], said["message"]) == ("INFO", "said hello")
    assert (warned["level"], warned["message"]) == ("WARNING", "warned")
    for record in (said, warned):
        assert record["url"] == f"http://127.0.0.1:{server.port}/say"
        assert (record["route"], record["method"], record["status"]) == ("/say", "GET", None)
    assert done["route"] == "/say"
    # Records of requests before may still come in between.
    prints = {b"before": "before", b"between": "between", b"after": "after"}
    ours = {record["uuid"].encode(): record["message"][:10] for record in (said, warned, done)}
    texts = [prints.get(line) or _named(line, ours) for line in server.stdout.lines]
    assert [text for text in texts if text] == [
        "before",
        "said hello",
        "between",
        "warned",
        "after",
        "GET /say 2",
    ]


def test_logging_outside_a_request(server: Server) -> None:
    """What the application says when it is imported."""
    ready = eventually(lambda: server.stdout.about("ready"))[0]
    assert ready["level"] == "INFO"
    keys = ("url", "method", "route", "request_id", "status", "duration_ms")
    assert {ready[key] for key in keys} == {None}


def test_an_unhandled_exception(server: Server) -> None:
    """One record with the traceback, one for the request; the server adds no second traceback."""
    server.get("/boom", X_Request_Id="boom")
    request_record(server, "boom")
    exception, done = server.stdout.of_request("boom")
    assert exception["message"].startswith(
        "Exception on /boom [GET]\nTraceback (most recent call last)"
    )
    assert exception["message"].endswith("ValueError: bad thing")
    for record in (exception, done):
        assert (record["level"], record["status"], record["route"]) == ("ERROR", 500, "/boom")
    everything = b"\n".join(server.stdout.lines + server.stderr.lines)
    assert everything.count(b"ValueError: bad thing") == 1


def test_a_path_that_does_not_exist(server: Server) -> None:
    """A warning without a route."""
    server.get("/nope", X_Request_Id="nope")
    record = request_record(server, "nope")
    assert (record["level"], record["status"], record["route"]) == ("WARNING", 404, None)


def test_a_stream_lasts_until_its_end(server: Server) -> None:
    """Three pieces with pauses."""
    assert server.get("/stream", X_Request_Id="stream") == b"x" * 30
    record = request_record(server, "stream")
    assert record["duration_ms"] >= 150
    assert record["message"].endswith(" ms")


def test_a_stream_that_breaks_off(server: Server) -> None:
    """Its traceback once, and the status that was sent."""
    server.get("/broken", X_Request_Id="broken")
    done = request_record(server, "broken")
    assert (done["level"], done["status"]) == ("ERROR", 200)
    assert done["message"].endswith("(broke off)")
    exception = server.stdout.of_request("broken")[0]
    assert exception["message"].endswith("RuntimeError: broke in the middle")
    assert "exchange.py" not in exception["message"]


def test_a_client_that_leaves(server: Server) -> None:
    """The record says so, when the server has noticed."""
    server.leave_early("/endless")
    record = request_record(server, "gone")
    assert record["message"].endswith("(closed before its end)")
    assert record["status"] == 200


@pytest.mark.parametrize("verb", ["GET", "HEAD"])
def test_a_file(server: Server, verb: str) -> None:
    """Which the server may send by itself."""
    body = server.get("/file", verb, X_Request_Id=f"file-{verb}")
    assert (b"A small shop" in body) == (verb == "GET")
    record = request_record(server, f"file-{verb}")
    assert (record["status"], record["route"]) == (200, "/file")
    assert record["message"].endswith(" ms")


def test_werkzeugs_access_lines_are_not_there_twice(customized: Path) -> None:
    """Its other lines are; and without us all are."""
    with serving(SERVERS["flask run"], customized) as server:
        server.get("/items/1", X_Request_Id="one")
        request_record(server, "one")
    everything = b"\n".join(server.stdout.lines + server.stderr.lines)
    assert b"Running on" in everything
    assert b"HTTP/1.1" not in everything
    with serving(SERVERS["flask run"], customized, KURAMA_INSTRUMENT="off") as server:
        server.get("/items/1")
        eventually(lambda: b'"GET /items/1 HTTP/1.1" 200' in b"\n".join(server.stderr.lines))
    assert server.stdout.records == []


def test_an_application_that_instruments_itself_is_instrumented_once(customized: Path) -> None:
    """Kurama(app) in its code and the .pth line in its environment."""
    with serving(SERVERS["gunicorn sync"], customized, LIBRARY_APP="explicit") as server:
        server.get("/items/1", X_Request_Id="one")
        request_record(server, "one")
    assert len(server.stdout.of_request("one")) == 1


def test_long_records_of_four_workers_come_back_whole(customized: Path) -> None:
    """20 KB each, all at once through one pipe, with prints in between."""
    names = [f"m{number}" for number in range(120)]
    preload = SERVERS["gunicorn preload"]
    with serving(lambda port: [*preload(port), "--workers=4"], customized) as server:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            workers = set(pool.map(lambda name: server.get(f"/big?name={name}"), names))
        eventually(lambda: len(server.stdout.about("GET /big")) == len(names))
    assert len(workers) > 1
    expected = {f"{name} " + 'é"\n' * 5000 for name in names}
    assert {record["message"] for record in server.stdout.about("m")} == expected
    assert server.stdout.joiner.discarded == 0
    printed = [text for text in server.stdout.texts if text.startswith("printed")]
    assert sorted(printed) == sorted(f"printed {name} " + "y" * 1000 for name in names)
    assert set(server.stdout.texts) == set(printed)


def test_nobody_reads_and_the_application_answers(customized: Path) -> None:
    """Its records wait up to a bound, what is over is dropped, counted and told."""
    count = 1000
    with serving(SERVERS["gunicorn gthread"], customized, read=False) as server:
        # Each of some parts: more than a pipe and the queue hold.
        assert server.get(f"/flood?count={count}") == b"flooded"
        for number in range(20):
            assert server.get(f"/items/{number}")
        server.read()
        told = eventually(lambda: [r for r in server.stdout.records if "dropped" in r["message"]])
    assert [record["level"] for record in told] == ["WARNING"]
    dropped = int(told[0]["message"].split()[0])
    come = server.stdout.about("flood") + server.stdout.about("GET")
    assert 0 < dropped < count
    assert len(come) + dropped == count + 21
    assert len(server.stdout.about("flood")) > 500
    assert server.stdout.joiner.discarded == 0


def test_what_a_stopping_server_has_to_say_is_said(customized: Path) -> None:
    """Records that waited for others are written at the interpreter's end."""
    with serving(SERVERS["gunicorn sync"], customized) as server:
        for number in range(100):
            server.get(f"/items/{number}")
    assert len(server.stdout.about("GET /items")) == 100


def test_a_worker_that_is_killed_for_hanging_says_where(customized: Path) -> None:
    """gunicorn aborts it: the traceback of the request is the only trace there is."""
    sync = SERVERS["gunicorn sync"]
    with serving(lambda port: [*sync(port), "--timeout=1"], customized) as server:
        # What the client gets then is gunicorn's affair, and has changed with its versions.
        with contextlib.suppress(http.client.RemoteDisconnected):
            server.get("/hang", X_Request_Id="hang")
        done = request_record(server, "hang")
        exception = server.stdout.of_request("hang")[0]
    assert "time.sleep(60)" in exception["message"]
    assert (done["status"], done["url"].rpartition("/")[2]) == (500, "hang")


def test_an_application_whose_reader_has_gone_goes_on(customized: Path) -> None:
    """Broken pipe: it serves, and says nothing."""
    with serving(SERVERS["gunicorn sync"], customized, read=False) as server:
        assert server.process.stdout
        server.process.stdout.close()
        server.process.stdout = io.BytesIO()
        for _ in range(20):
            assert b"3" in server.get("/items/3")
    assert server.process.returncode == 0
    assert server.stderr.records == []
    assert not [line for line in server.stderr.texts if "rror" in line]


def _named(line: bytes, records: dict[bytes, str]) -> str | None:
    """Of which of `records`, by uuid, a line is."""
    return next((text for uuid, text in records.items() if uuid in line), None)
