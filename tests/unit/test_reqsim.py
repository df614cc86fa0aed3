"""The simulator: the same stream for the same seed, at the rate that was asked for."""

import http.client
import json
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import reqsim
from flask_kurama.record import TEN_FIELDS, decode, encode
from reqsim import Plan, Simulator, app_names, default_token, paced, parse
from tests.unit.clock import Clock
from tests.unit.server.ingest_double import IngestDouble

APPS = ("shop", "blog")


def plan(**fields: Any) -> Plan:
    """A quick one."""
    default = {"rate": 1e6, "duration": 60.0, "count": None, "apps": APPS, "seed": 1}
    return Plan(**default | fields)


def stream(seed: int | None, count: int = 200) -> list[dict[str, Any]]:
    """So many records, without what differs each time."""
    simulator = Simulator(plan(seed=seed))
    made = [json.loads(encode(simulator.record()[1])) for _ in range(count)]
    return [{k: v for k, v in one.items() if k not in ("timestamp", "uuid")} for one in made]


def test_a_seed_makes_the_same_stream_again() -> None:
    """But for times and UUIDs; another seed, or none, makes another."""
    assert stream(1) == stream(1)
    assert stream(1) != stream(2)
    assert stream(None) != stream(None)


def test_each_record_has_the_ten_fields() -> None:
    """And passes the pipeline's own reader unchanged: none is out of range."""
    simulator = Simulator(plan())
    for _ in range(500):
        app, record = simulator.record()
        line = encode(record)
        assert list(json.loads(line))[:10] == list(TEN_FIELDS)
        assert decode(line) == record
        assert app in APPS
        assert (record.url or "").startswith(f"http://{app}.localhost:5080/")


def test_uuids_are_unlike_each_other() -> None:
    """Also between two streams of one seed: they are other records."""
    made = [Simulator(plan()).record()[1].uuid for _ in range(2)]
    simulator = Simulator(plan())
    made += [simulator.record()[1].uuid for _ in range(100)]
    assert len(set(made)) == 102


def test_the_stream_looks_like_a_shops() -> None:
    """All apps, all routes, some failures, slow searches."""
    simulator = Simulator(plan())
    made = [simulator.record()[1] for _ in range(5000)]
    statuses = Counter(one.status for one in made)
    assert set(statuses) == {200, 500}
    assert 1 <= statuses[500] < 250
    assert {one.level for one in made if one.status == 500} == {"ERROR"}
    assert len({one.route for one in made}) == 5
    searches = [one.duration_ms or 0 for one in made if one.route == "/search"]
    assert sum(searches) / len(searches) > 200


def due(
    rate: float, duration: float, count: int | None = None, oversleep: float = 0.0
) -> tuple[list[int], float]:
    """How many were due at each step, and when the plan had ended, on a clock that obeys."""
    clock = Clock()
    begun = clock.now
    steps = []

    def sleep(seconds: float) -> None:
        clock.now += max(seconds, 1e-3) + oversleep

    for one in paced(plan(rate=rate, duration=duration, count=count), clock, sleep):
        steps.append(one)
        assert sum(steps) <= (clock.now - begun) * rate + 1.001
    return steps, clock.now - begun


@pytest.mark.parametrize("rate", [0.5, 1.0, 7.0, 50.0, 200.0, 5000.0])
def test_the_rate_is_kept(rate: float) -> None:
    """Never ahead of it, and within a batch of it at the end."""
    steps, ended = due(rate, 10.0)
    assert rate * 10 - 0.03 * rate <= sum(steps) <= rate * 10 + 1
    assert 10.0 <= ended < 10.1
    assert all(step > 0 for step in steps)


def test_what_was_slept_through_is_caught_up_with() -> None:
    """A busy machine, or a receiver that made it wait."""
    steps, _ = due(1000.0, 10.0, oversleep=0.5)
    assert sum(steps) > 9000
    assert max(steps) > 400


@pytest.mark.parametrize("count", [0, 1, 99])
def test_a_count_ends_it_early(count: int) -> None:
    """Exactly so many."""
    steps, ended = due(50.0, 10.0, count)
    assert sum(steps) == count
    assert ended < 10.0


def test_a_duration_ends_it_before_the_count() -> None:
    """Whichever is first."""
    assert sum(due(10.0, 1.0, 1_000_000)[0]) <= 11


def test_records_go_to_ingest(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the platform's token each says whose it is; what ingest answers is counted."""
    ingest = IngestDouble()
    monkeypatch.setattr(socket, "create_connection", ingest.connect)
    assert reqsim.send_records(plan(count=50), "ingest", 5140, {"token": "t"}) == 50
    assert ingest.headers == [{"token": "t", "acks": True}]
    assert {one["app"] for one in ingest.records} == set(APPS)
    assert {(one["process"], one["replica"]) for one in ingest.records} == {("web", "web.1")}
    assert all(decode(line) for line in ingest.taken)


def test_records_of_a_user_do_not_say_whose_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The header has said it."""
    ingest = IngestDouble()
    monkeypatch.setattr(socket, "create_connection", ingest.connect)
    reqsim.send_records(plan(count=5), "ingest", 5140, {"token": "t", "app": "shop"})
    assert len(ingest.records) == 5
    assert not [one for one in ingest.records if "app" in one]


@pytest.mark.parametrize(
    ("ingest", "says"),
    [
        (IngestDouble(refusal="a wrong token"), "Error: a wrong token"),
        (IngestDouble(breaks=1), "Error: ingest closed the connection; 0 records are safe"),
    ],
)
def test_an_ingest_that_takes_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ingest: IngestDouble,
    says: str,
) -> None:
    """In one line, without the token, and as a failure."""
    monkeypatch.setattr(socket, "create_connection", ingest.connect)
    assert reqsim.main(["--token", "hush", "--count", "1"]) == 1
    said = capsys.readouterr()
    assert says in said.err
    assert "hush" not in said.err + said.out


def test_records_on_stdout_are_the_stream(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A line each."""
    assert reqsim.main(["--stdout", "--seed", "1", "--count", "5", "--rate", "1000000"]) == 0
    found = [decode(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert len(found) == 5
    assert all(found)


@pytest.mark.parametrize(
    ("text", "names"),
    [("1", ["sim-1"]), ("3", ["sim-1", "sim-2", "sim-3"]), ("shop,blog", ["shop", "blog"])],
)
def test_apps_are_counted_or_named(text: str, names: list[str]) -> None:
    """As `--apps` has it."""
    assert app_names(text) == names


@pytest.mark.parametrize(
    "arguments",
    [
        ["--apps", "0"],
        ["--apps", ""],
        ["--apps", "a,,b"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--duration", "-1"],
        ["--clients", "0"],
        ["--count", "x"],
        ["--stdout", "--url", "http://h"],
    ],
)
def test_what_means_nothing_is_wrong_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and why."""
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_the_platforms_token_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its home, unless the environment has one; without either there is none."""
    monkeypatch.delenv("KURAMA_INGEST_TOKEN", raising=False)
    monkeypatch.setenv("KURAMA_HOME", str(tmp_path))
    assert default_token() is None
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "ingest").write_text("hush\n")
    assert default_token() == "hush"
    monkeypatch.setenv("KURAMA_INGEST_TOKEN", "other")
    assert default_token() == "other"


def test_without_a_token_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says which one is meant."""
    monkeypatch.delenv("KURAMA_INGEST_TOKEN", raising=False)
    monkeypatch.setenv("KURAMA_HOME", str(tmp_path))
    assert reqsim.main([]) == 1
    assert "KURAMA_INGEST_TOKEN" in capsys.readouterr().err


class Site:
    """An app that answers every third request with 500, and the fourth not at all."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def connection(self, host: str, port: int, timeout: float) -> "Site":
        """Stands in for http.client.HTTPConnection."""
        assert (host, port, timeout > 0) == ("127.0.0.1", 5080, True)
        return self

    def request(self, method: str, path: str, _body: object, headers: dict[str, str]) -> None:
        """Ask."""
        self.asked.append((method, path, headers))
        if len(self.asked) == 4:
            raise ConnectionResetError

    def getresponse(self) -> "Site":
        """It answers itself."""
        return self

    def read(self) -> bytes:
        """Nothing."""
        return b""

    def close(self) -> None:
        """Nothing."""

    @property
    def status(self) -> int:
        """Of the latest answer."""
        return 500 if len(self.asked) == 3 else 200


def test_requests_are_counted_by_their_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the app's own host; one without an answer makes the run a failure."""
    site = Site()
    monkeypatch.setattr(http.client, "HTTPConnection", site.connection)
    url = "http://shop.localhost:5080"
    arguments = ["--url", url, "--count", "10", "--rate", "100000", "--clients", "1"]
    assert reqsim.main([*arguments, "--seed", "1"]) == 1
    assert capsys.readouterr().out == "no answer: 1\n200: 8\n500: 1\n"
    assert {headers["Host"] for _, _, headers in site.asked} == {"shop.localhost:5080"}
    first = [(method, path) for method, path, _ in site.asked]
    site.asked.clear()
    reqsim.main([*arguments, "--seed", "1"])
    assert [(method, path) for method, path, _ in site.asked] == first


@pytest.mark.parametrize("url", ["shop.localhost", "https://h", "http://"])
def test_what_is_no_address_is_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is asked."""
    assert reqsim.main(["--url", url]) == 1
    assert "is no address" in capsys.readouterr().err
