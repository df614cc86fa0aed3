"""The router on a real Caddy, in front of small servers that say what they were asked."""

import contextlib
import http.client
import http.server
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from server.errors import RouterError
from server.router.admin import Admin
from server.router.configuration import admin_socket
from server.router.pages import Problem
from server.router.router import Router
from tests.conftest import eventually
from tests.engines import Engines, Process
from tests.harness import free_ports

_TIMEOUT_S = 20.0


class _Handler(http.server.BaseHTTPRequestHandler):
    """Says its server's name and the headers that came."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with JSON; /cut closes the connection instead."""
        server: Any = self.server
        if self.path == "/cut":
            self.close_connection = True
            server.taken += 1
            return
        found = {"name": server.name, "path": self.path, "headers": dict(self.headers)}
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - what http.server calls

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


class Replica:
    """A server on a port of its own."""

    def __init__(self, name: str) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        vars(self._server).update(name=name, taken=0)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def taken(self) -> int:
        """How many requests it has taken and not answered."""
        return int(vars(self._server)["taken"])

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_TIMEOUT_S)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """A home with a Caddy."""
    [port] = free_ports(1)
    found = Engines(
        tmp_path_factory.mktemp("r"), router={"port": port, "domain": "test", "try_for": "1s"}
    )
    try:
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def caddy(site: Engines) -> Process:
    """Its Caddy."""
    return site.caddy()


@pytest.fixture
def router(site: Engines, caddy: Process) -> Iterator[Router]:
    """A router with the apps `shop` and `shop2`, of which nothing is deployed."""
    found = Router(site.settings)
    found.sync(["shop", "shop2"])
    yield found
    for app in ("shop", "shop2"):
        found.remove(app)


@pytest.fixture
def replicas() -> Iterator[list[Replica]]:
    """Four servers: a, b, c and d."""
    found = [Replica(name) for name in "abcd"]
    yield found
    for replica in found:
        with contextlib.suppress(OSError):
            replica.close()


def connect(site: Engines) -> http.client.HTTPConnection:
    """A visitor's connection."""
    return http.client.HTTPConnection("127.0.0.1", site.settings.router.port, timeout=_TIMEOUT_S)


def visit(
    site: Engines, app: str = "shop", path: str = "/", headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """One request: its status and its body."""
    connection = connect(site)
    try:
        connection.request("GET", path, headers={"Host": f"{app}.test", **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def asked(site: Engines, **options: Any) -> dict[str, Any]:
    """What the replica says it was asked."""
    status, body = visit(site, **options)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def test_an_unknown_host(site: Engines, router: Router) -> None:
    """404, with the page and its code; a host that only begins like an app's is unknown, too."""
    for app in ("nothing", "sho", "shop.shop", "SHOP-2"):
        status, body = visit(site, app)
        assert status == 404
        assert "H04" in body
    connection = connect(site)
    connection.request("GET", "/", headers={"Host": "xshop.test.evil.example"})
    assert connection.getresponse().status == 404
    connection.close()


def test_before_the_first_push(site: Engines, router: Router) -> None:
    """503 and H81; no braces are left for Caddy to replace."""
    status, body = visit(site)
    assert (status, "H81" in body) == (503, True)
    assert "{" not in body


def test_no_replicas(site: Engines, router: Router, replicas: list[Replica]) -> None:
    """Scaled to none: 503 and H14; the other app is none the worse; and back again."""
    for app in ("shop", "shop2"):
        router.point_at(app, [replicas[0].address])
    router.point_at("shop", [])
    status, body = visit(site)
    assert (status, "H14" in body) == (503, True)
    assert visit(site, "shop2")[0] == 200
    assert router.is_pointed_at("shop", [])
    router.point_at("shop", [replicas[1].address])
    assert asked(site)["name"] == "b"


@pytest.mark.parametrize("problem", [one for one in Problem if one is not Problem.NO_SUCH_APP])
def test_each_page(site: Engines, router: Router, problem: Problem) -> None:
    """A page stands in with its own status and code, without a request being tried."""
    router.stand_in("shop", problem)
    assert router.stands_in("shop", problem)
    status, body = visit(site)
    assert (status, problem.value.code in body) == (problem.value.status, True)


def test_nobody_listens(site: Engines, router: Router, replicas: list[Replica]) -> None:
    """502 and H13 after router.try_for; it is counted as an error of that app alone."""
    router.point_at("shop2", [replicas[1].address])
    assert visit(site, "shop2")[0] == 200
    before = router.errors("shop"), router.errors("shop2")
    replicas[0].close()
    router.point_at("shop", [replicas[0].address])
    status, body = visit(site)
    assert (status, "H13" in body) == (502, True)
    assert (router.errors("shop"), router.errors("shop2")) == (before[0] + 1, before[1])


def test_one_of_two_is_gone(site: Engines, router: Router, replicas: list[Replica]) -> None:
    """A refused connection goes to another replica, and no visitor notices."""
    router.point_at("shop", [replica.address for replica in replicas[:2]])
    replicas[0].close()
    assert [asked(site)["name"] for _ in range(10)] == ["b"] * 10


def test_requests_are_spread(site: Engines, router: Router, replicas: list[Replica]) -> None:
    """Evenly, over all of them."""
    router.point_at("shop", [replica.address for replica in replicas[:3]])
    names = [asked(site)["name"] for _ in range(60)]
    assert {name: names.count(name) for name in "abc"} == {"a": 20, "b": 20, "c": 20}


def test_switches_under_load(site: Engines, router: Router, replicas: list[Replica]) -> None:
    """Thirty switches while clients keep their connections open: no request fails."""
    router.point_at("shop", [replicas[0].address])
    stop = threading.Event()

    def client() -> list[int]:
        statuses = []
        connection = connect(site)
        while not stop.is_set():
            connection.request("GET", "/", headers={"Host": "shop.test"})
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()
        return statuses

    with ThreadPoolExecutor(6) as pool:
        clients = [pool.submit(client) for _ in range(6)]
        for turn in range(30):
            chosen = [replicas[(turn + n) % 4] for n in range(1 + turn % 3)]
            router.point_at("shop", [replica.address for replica in chosen])
            names = {replica.address: name for replica, name in zip(replicas, "abcd", strict=True)}
            wanted = {names[replica.address] for replica in chosen}
            # From the moment that point_at returns, no new request goes elsewhere.
            assert asked(site)["name"] in wanted
            stop.wait(0.02)
        stop.set()
        statuses = [status for one in clients for status in one.result(_TIMEOUT_S)]
    assert len(statuses) > 300
    assert set(statuses) == {200}


def test_what_the_router_says_of_a_request(
    site: Engines, router: Router, replicas: list[Replica]
) -> None:
    """Its id, its start and its visitor are the router's word, not the visitor's."""
    router.point_at("shop", [replicas[0].address])
    forged = {
        "X-Request-Id": "forged",
        "X-Request-Start": "t=1",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Proto": "https",
        "X-Kurama-Probe": "1",
        "X-Own": "kept",
    }
    first, second = (asked(site, headers=forged)["headers"] for _ in range(2))
    ids = {first["X-Request-Id"], second["X-Request-Id"]}
    assert len({str(uuid.UUID(one)) for one in ids}) == 2
    started = int(first["X-Request-Start"].removeprefix("t=")) / 1000
    assert abs(time.time() - started) < 60
    assert first["X-Forwarded-For"] == "127.0.0.1"
    assert first["X-Forwarded-Proto"] == "http"
    assert "X-Kurama-Probe" not in first
    assert first["X-Own"] == "kept"
    assert first["Host"] == "shop.test"


@pytest.mark.parametrize(
    "name", ["x-kurama-probe", "X-KURAMA-PROBE", "X_Kurama_Probe", "X-Kurama-Probe"]
)
def test_no_visitor_can_pose_as_a_probe(
    site: Engines, router: Router, replicas: list[Replica], name: str
) -> None:
    """However it is written, and however often: no server takes what arrives for the header."""
    router.point_at("shop", [replicas[0].address])
    with socket.create_connection(("127.0.0.1", site.settings.router.port), _TIMEOUT_S) as raw:
        lines = ["GET / HTTP/1.1", "Host: shop.test", f"{name}: 1", f"{name}: 2"]
        raw.sendall(("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode())
        answer = b""
        while piece := raw.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head
    # WSGI makes one name of - and _; gunicorn drops names with _, others may not.
    seen = {key.upper().replace("-", "_") for key in json.loads(body)["headers"]}
    assert "X_KURAMA_PROBE" not in seen


def test_bytes_that_are_no_request(site: Engines, router: Router) -> None:
    """They are answered or closed, and the next visitor is served."""
    for junk in (
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 1000 + b"\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", site.settings.router.port), 5) as raw:
            raw.sendall(junk)
            raw.shutdown(socket.SHUT_WR)
            raw.recv(65536)
    assert visit(site)[0] == 503


def test_a_replica_that_closes_in_mid_request(
    site: Engines, router: Router, replicas: list[Replica]
) -> None:
    """H13, not a hanging visitor."""
    router.point_at("shop", [replicas[0].address])
    status, body = visit(site, path="/cut")
    assert (status, "H13" in body) == (502, True)


@pytest.mark.parametrize(("method", "most"), [("GET", 6), ("POST", 1)])
def test_what_a_replica_has_taken_is_not_sent_for_ever(
    site: Engines, router: Router, replicas: list[Replica], method: str, most: int
) -> None:
    """A GET a few times at first, for a replica that was just ending; a POST never."""
    router.point_at("shop", [replicas[0].address])
    connection = connect(site)
    connection.request(method, "/cut", headers={"Host": "shop.test", "Content-Length": "0"})
    assert connection.getresponse().status == 502
    connection.close()
    assert (most > 1) < replicas[0].taken <= most


def test_apps_come_and_go(site: Engines, router: Router, replicas: list[Replica]) -> None:
    """A new one is routed, a removed one is not, and what points elsewhere stays as it is."""
    router.point_at("shop", [replicas[0].address])
    router.add("fresh")
    assert visit(site, "fresh")[0] == 503
    router.point_at("fresh", [replicas[1].address])
    assert asked(site, app="fresh")["name"] == "b"
    router.remove("fresh")
    assert visit(site, "fresh")[0] == 404
    assert asked(site)["name"] == "a"
    router.add("fresh")
    assert visit(site, "fresh")[0] == 503, "an app of an old name begins with nothing"
    router.remove("fresh")


def test_caddy_is_killed(
    site: Engines, caddy: Process, router: Router, replicas: list[Replica]
) -> None:
    """Started again it has its routes without anybody's help; meanwhile the router says so."""
    router.point_at("shop", [replicas[0].address])
    caddy.kill()
    with pytest.raises(RouterError, match="can't be reached"):
        router.reload()
    router.point_at("shop", [replicas[1].address])
    caddy.start()

    def served() -> bool:
        try:
            return visit(site)[0] == 200
        except OSError:
            return False

    eventually(served)
    assert asked(site)["name"] == "b", "what was switched meanwhile holds"
    router.reload()
    assert visit(site, "nothing")[0] == 404


def test_a_new_interface_finds_the_routes(
    site: Engines, router: Router, replicas: list[Replica]
) -> None:
    """`sync` of a restarted interface changes nothing of what serves."""
    router.point_at("shop", [replicas[2].address])
    again = Router(site.settings)
    again.sync(["shop", "shop2"])
    assert asked(site)["name"] == "c"
    assert again.is_pointed_at("shop", [replicas[2].address])


def test_a_configuration_that_caddy_refuses(site: Engines, caddy: Process) -> None:
    """RouterError with Caddy's own words; what it ran before, it runs on."""
    path = admin_socket(site.settings)
    admin = Admin(path)
    listen = {"listen": f"unix/{path}|0600"}
    with pytest.raises(RouterError, match="refused"):
        admin.load({"admin": listen, "apps": {"nonsense": {}}})
    admin.ping()
