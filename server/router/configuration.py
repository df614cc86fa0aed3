"""Caddy's configuration as one JSON document, made from the list of apps and nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from server.router.pages import Pages, Problem
from server.router.slots import Slots
from server.settings import Settings

# How long Caddy keeps an idle connection to a replica: less than any server's own keep-alive
# (gunicorn's is 2 s), so that no request is sent into a connection that is just being closed.
_IDLE_UPSTREAM_S = 1
_BETWEEN_TRIES_MS = 50
# A connection that was refused is tried again, whatever the request. What a replica has taken and
# broken off may have had its effect: it is sent again only if that does no harm, and only at first,
# when a replica was just ending. Without an end an app would be crashed by one GET many times.
_SENT_AGAIN_MS = 250
# An expression is asked about answers too, since Caddy 2.11: those are never sent for again.
_MAY_BE_SENT_AGAIN = (
    "{http.reverse_proxy.is_transport_error} && {http.request.method} in ['GET', 'HEAD'] && "
    "int({time.now.unix_ms}) - int({http.request.header.X-Request-Start}.substring(2)) "
    f"< {_SENT_AGAIN_MS}"
)
# It keeps a request out of the records: only the platform's own probes may say it.
_PROBE_HEADER = "X-Kurama-Probe"
_RESPONSE_HEADER_TIMEOUT_S = 60


def configuration(settings: Settings, folder: Path, apps: Sequence[str], pages: Pages) -> Any:
    """The whole of what Caddy runs: `apps` by name, each with its files under `folder`/APP."""
    listen = f"{settings.router.host}:{settings.router.port}"
    hosts = {app: f"{app}.{settings.router.domain}" for app in apps}
    return {
        "admin": {"listen": f"unix/{admin_socket(settings)}|0600", "config": {"persist": True}},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "apps": {
            "http": {
                "metrics": {"per_host": True},
                "servers": {
                    "visitors": {
                        "listen": [listen],
                        "automatic_https": {"disable": True},
                        "routes": [
                            *(_route(settings, folder / app, host) for app, host in hosts.items()),
                            {"handle": [_page(pages, Problem.NO_SUCH_APP)]},
                        ],
                        "errors": {"routes": _error_routes(folder, hosts, pages)},
                    }
                },
            }
        },
    }


def admin_socket(settings: Settings) -> Path:
    """The unix socket of Caddy's admin API."""
    return settings.run_dir / "caddy.sock"


def _route(settings: Settings, files: Path, host: str) -> Mapping[str, Any]:
    files_say_no = {f"{{file.{files}/serving}}": ["no"]}
    stamp = {"X-Request-Start": ["t={time.now.unix_ms}"], "X-Request-Id": ["{http.request.uuid}"]}
    return {
        "match": [{"host": [host]}],
        "terminal": True,
        "handle": [
            {
                "handler": "subroute",
                "routes": [
                    {
                        "match": [{"vars": files_say_no}],
                        "handle": [{"handler": "error", "status_code": 503}],
                    }
                ],
            },
            {"handler": "headers", "request": {"set": stamp, "delete": [_PROBE_HEADER]}},
            {
                "handler": "reverse_proxy",
                "upstreams": [{"dial": dial} for dial in Slots.upstream_placeholders(files)],
                "load_balancing": {
                    "selection_policy": {"policy": "round_robin"},
                    "try_duration": f"{settings.router.try_for.total_seconds()}s",
                    "try_interval": f"{_BETWEEN_TRIES_MS}ms",
                    "retry_match": [{"expression": _MAY_BE_SENT_AGAIN}],
                },
                "transport": {
                    "protocol": "http",
                    "keep_alive": {"idle_timeout": f"{_IDLE_UPSTREAM_S}s"},
                    "response_header_timeout": f"{_RESPONSE_HEADER_TIMEOUT_S}s",
                },
            },
        ],
    }


def _error_routes(folder: Path, hosts: Mapping[str, str], pages: Pages) -> list[Mapping[str, Any]]:
    timeout = {
        "match": [{"expression": "{http.error.status_code} == 504"}],
        "terminal": True,
        "handle": [_page(pages, Problem.TIMEOUT)],
    }
    by_app = [
        {
            "match": [{"host": [host]}],
            "terminal": True,
            "handle": [_answer(f"{{file.{folder / app}/status}}", f"{{file.{folder / app}/page}}")],
        }
        for app, host in hosts.items()
    ]
    return [timeout, *by_app]


def _page(pages: Pages, problem: Problem) -> Mapping[str, Any]:
    return _answer(problem.value.status, pages.html(problem))


def _answer(status: int | str, body: str) -> Mapping[str, Any]:
    headers = {"Content-Type": ["text/html; charset=utf-8"], "Cache-Control": ["no-store"]}
    return {"handler": "static_response", "status_code": status, "headers": headers, "body": body}
