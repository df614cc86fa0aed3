"""What Caddy is told, as one document."""

import json
from pathlib import Path
from typing import Any

from server.deploys.prober import PROBE_HEADER
from server.router.configuration import admin_socket, configuration
from server.router.pages import Pages, Problem
from server.router.slots import SLOTS, Slots
from server.settings import Settings, load

FOLDER = Path("/k/router")
PAGES = Pages()


def settings(**router: Any) -> Settings:
    """The defaults, with another router section."""
    found = load({"KURAMA_HOME": "/k"}, Path("/nowhere"))
    return found.model_copy(update={"router": found.router.model_copy(update=router)})


def server(*apps: str, **router: Any) -> Any:
    """The part that serves visitors."""
    found = configuration(settings(**router), FOLDER, apps, PAGES)
    return found["apps"]["http"]["servers"]["visitors"]


def handlers(route: Any) -> dict[str, Any]:
    """A route's handlers by name."""
    return {one["handler"]: one for one in route["handle"]}


def test_it_is_made_of_the_list_of_apps_and_nothing_else() -> None:
    """The same list gives the same document, which Caddy then doesn't load again."""
    made = [configuration(settings(), FOLDER, ["blog", "shop"], PAGES) for _ in range(2)]
    assert json.dumps(made[0]) == json.dumps(made[1])


def test_each_app_has_its_host() -> None:
    """Exactly: blog is not blog2, and a host that nobody has gets H04."""
    *routes, last = server("blog", "blog2", domain="example.com")["routes"]
    assert [route["match"] for route in routes] == [
        [{"host": ["blog.example.com"]}],
        [{"host": ["blog2.example.com"]}],
    ]
    assert all(route["terminal"] for route in routes)
    assert "match" not in last
    assert last["handle"][0]["status_code"] == 404
    assert "H04" in last["handle"][0]["body"]


def test_without_apps_every_host_gets_the_same_page() -> None:
    """A new platform has a valid configuration."""
    assert len(server()["routes"]) == 1


def test_each_app_asks_its_own_files() -> None:
    """For who answers, whether to try at all, and what to show: one tenant's never another's."""
    found = server("blog", "shop")
    shop = json.dumps(found["routes"][1])
    assert shop.count("{file./k/router/shop/upstream/") == SLOTS
    assert "{file./k/router/shop/serving}" in shop
    assert "blog" not in shop
    upstreams = handlers(found["routes"][1])["reverse_proxy"]["upstreams"]
    assert [one["dial"] for one in upstreams] == Slots.upstream_placeholders(FOLDER / "shop")


def test_an_app_that_is_not_serving_is_not_tried() -> None:
    """Asked first, before the proxy: an error at once, which its page answers."""
    subroute, *_ = server("shop")["routes"][0]["handle"]
    (route,) = subroute["routes"]
    assert route["match"] == [{"vars": {"{file./k/router/shop/serving}": ["no"]}}]
    assert route["handle"] == [{"handler": "error", "status_code": 503}]


def test_errors_are_answered_with_the_apps_page() -> None:
    """Its status and page from files; a timeout has a page of its own, and comes first."""
    timeout, shop = server("shop")["errors"]["routes"]
    assert timeout["match"] == [{"expression": "{http.error.status_code} == 504"}]
    assert timeout["handle"][0]["body"] == PAGES.html(Problem.TIMEOUT)
    assert shop["match"] == [{"host": ["shop.localhost"]}]
    answer = shop["handle"][0]
    assert answer["status_code"] == "{file./k/router/shop/status}"
    assert answer["body"] == "{file./k/router/shop/page}"
    assert answer["headers"]["Cache-Control"] == ["no-store"]


def test_requests_are_stamped_and_can_not_pass_for_probes() -> None:
    """A visitor who could say that header would leave no record."""
    request = handlers(server("shop")["routes"][0])["headers"]["request"]
    assert set(request["set"]) == {"X-Request-Start", "X-Request-Id"}
    assert request["delete"] == [PROBE_HEADER]


def test_settings_are_honoured() -> None:
    """Where it listens, and how long it tries."""
    found = server("shop", host="0.0.0.0", port=80)  # noqa: S104 - a setting, not bound
    assert found["listen"] == ["0.0.0.0:80"]
    balancing = handlers(server("shop")["routes"][0])["reverse_proxy"]["load_balancing"]
    assert balancing["try_duration"] == "3.0s"
    assert balancing["selection_policy"] == {"policy": "round_robin"}


def test_administration_is_by_a_socket_of_the_operators_own() -> None:
    """No TCP port: apps share the host's network."""
    found = configuration(settings(), FOLDER, [], PAGES)
    assert found["admin"]["listen"] == "unix//k/run/caddy.sock|0600"
    assert admin_socket(settings()) == Path("/k/run/caddy.sock")
    assert found["apps"]["http"]["servers"]["visitors"]["automatic_https"] == {"disable": True}
