"""The router as the rest of the platform sees it. Caddy's administration is a double."""

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from server.errors import RouterError
from server.router.admin import Admin
from server.router.pages import Problem
from server.router.router import Router
from server.settings import load


class Caddy:
    """Caddy's administration on a unix socket: keeps what it is told."""

    def __init__(self, path: Path) -> None:
        self.loaded: list[Any] = []
        self.metrics = ""
        self.refusal = ""
        double = self

        class Handler(BaseHTTPRequestHandler):
            """Answers as Caddy does."""

            def do_POST(self) -> None:
                """/load"""
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if not double.refusal:
                    double.loaded.append(json.loads(content))
                self._answer(400 if double.refusal else 200, double.refusal)

            def do_GET(self) -> None:
                """/metrics"""
                self._answer(200, double.metrics)

            def _answer(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Nothing: a unix socket has no client address to tell of."""

        self._server = socketserver.UnixStreamServer(str(path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def hosts(self) -> list[str]:
        """Which hosts it routes now."""
        routes = self.loaded[-1]["apps"]["http"]["servers"]["visitors"]["routes"]
        return [route["match"][0]["host"][0] for route in routes if "match" in route]


@pytest.fixture
def caddy(tmp_path: Path) -> Iterator[Caddy]:
    """A running double."""
    caddy = Caddy(tmp_path / "c")
    yield caddy
    caddy.close()


@pytest.fixture
def router(tmp_path: Path, caddy: Caddy) -> Router:
    """A router in front of it."""
    return Router(load({"KURAMA_HOME": str(tmp_path)}, tmp_path), Admin(tmp_path / "c"))


def test_apps_come_and_go(caddy: Caddy, router: Router, tmp_path: Path) -> None:
    """Each change is loaded whole; what went keeps its files only until the next load."""
    router.sync(["shop"])
    router.add("blog")
    assert caddy.hosts() == ["blog.localhost", "shop.localhost"]
    router.remove("shop")
    assert caddy.hosts() == ["blog.localhost"]
    assert router.stands_in("shop", Problem.NO_SUCH_APP)
    router.reload()
    assert [path.name for path in (tmp_path / "router").iterdir()] == ["blog"]


def test_an_app_of_a_name_that_was_there_begins_anew(caddy: Caddy, router: Router) -> None:
    """It has none of the old one's replicas, and the next load takes nothing of it away."""
    router.add("shop")
    router.point_at("shop", ["127.0.0.1:20000"])
    router.remove("shop")
    router.add("shop")
    router.reload()
    assert caddy.hosts() == ["shop.localhost"]
    assert router.addresses("shop") == set()
    assert router.stands_in("shop", Problem.NO_CODE)


def test_a_new_app_says_that_it_has_no_code(router: Router) -> None:
    """Until its first deploy."""
    router.add("shop")
    assert router.stands_in("shop", Problem.NO_CODE)
    assert not router.stands_in("shop", Problem.CRASHED)


def test_a_sync_leaves_what_an_app_has(router: Router) -> None:
    """After a restart the router goes on where it pointed."""
    router.add("shop")
    router.point_at("shop", ["127.0.0.1:20000"])
    router.sync(["shop", "blog"])
    assert router.is_pointed_at("shop", ["127.0.0.1:20000"])
    assert router.stands_in("blog", Problem.NO_CODE)


def test_pointing_needs_no_new_configuration(caddy: Caddy, router: Router) -> None:
    """A load would close idle connections just when a client may be sending into one."""
    router.add("shop")
    before = len(caddy.loaded)
    router.point_at("shop", ["a:1", "b:2"])
    router.stand_in("shop", Problem.CRASHED)
    router.point_at("shop", [])
    assert len(caddy.loaded) == before


def test_an_app_without_replicas_is_not_tried(router: Router) -> None:
    """And says so."""
    router.add("shop")
    router.point_at("shop", ["a:1"])
    assert router.is_pointed_at("shop", ["a:1"])
    assert not router.is_pointed_at("shop", ["a:1", "b:2"])
    router.point_at("shop", [])
    assert router.stands_in("shop", Problem.NO_WEB_REPLICAS)
    assert router.is_pointed_at("shop", [])


def test_an_app_that_is_stood_in_for_is_pointed_at_again(router: Router) -> None:
    """Its addresses alone are not enough: requests must be tried again."""
    router.add("shop")
    router.point_at("shop", ["a:1"])
    router.stand_in("shop", Problem.CRASHED)
    assert not router.is_pointed_at("shop", ["a:1"])


def test_errors_are_counted_by_exact_host(caddy: Caddy, router: Router) -> None:
    """shop's are neither shop2's nor those of a host in which the dot is another letter."""
    caddy.metrics = (
        "# TYPE caddy_http_request_errors_total counter\n"
        'caddy_http_request_errors_total{handler="a",host="shop.localhost",server="visitors"} 3\n'
        'caddy_http_request_errors_total{handler="b",host="shop.localhost",server="visitors"} 4\n'
        'caddy_http_request_errors_total{handler="a",host="shop2.localhost",server="visitors"} 5\n'
        'caddy_http_request_errors_total{handler="a",host="shopxlocalhost",server="visitors"} 6\n'
        'caddy_http_requests_total{handler="a",host="shop.localhost",server="visitors"} 1e+06\n'
    )
    assert router.errors("shop") == 7
    assert router.errors("blog") == 0


def test_caddys_refusal_is_told(caddy: Caddy, router: Router) -> None:
    """In Caddy's own words."""
    caddy.refusal = '{"error":"loading config: no"}\n'
    with pytest.raises(RouterError, match="loading config: no"):
        router.reload()


def test_a_caddy_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With where to look."""
    with pytest.raises(RouterError, match="can't be reached") as caught:
        Admin(tmp_path / "nobody").ping()
    assert "kurama status" in caught.value.hint
