"""`kurama doctor`: what this machine has and lacks, each with what to do about it."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from server.engines import binaries
from server.errors import KuramaError
from server.operate import orphans
from server.operate.programs import programs
from server.operate.supervisor import Supervisor
from server.operate.up import check_port
from server.settings import Settings
from server.workers.pool import local_worker

_OLDEST_GIT = (2, 30)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `state` is ok, warning or problem."""

    subject: str
    state: str
    found: str
    hint: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything that Kurama needs, one by one."""
    yield Finding("Python", "ok", ".".join(map(str, sys.version_info[:3])))
    yield _git()
    if not settings.database.url.get_secret_value():
        yield _program("PostgreSQL", lambda: str(binaries.postgres_folder()))
    if not settings.bus.url.get_secret_value():
        yield _program("NATS", lambda: str(binaries.nats_server()))
    yield _program("Caddy", lambda: str(binaries.caddy()))
    yield _disk(settings)
    yield from _ports(settings)
    yield from _worker(settings)


def _git() -> Finding:
    program = shutil.which("git")
    if program is None:
        return Finding("git", "problem", "not on PATH", "Install git 2.30 or newer.")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = said.stdout.split()[2] if len(said.stdout.split()) > 2 else "?"
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST_GIT:
        return Finding("git", "problem", version, "Install git 2.30 or newer.")
    return Finding("git", "ok", version)


def _program(subject: str, find: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", find())
    except KuramaError as error:
        return Finding(subject, "problem", error.message, error.hint)


def _disk(settings: Settings) -> Finding:
    place = settings.home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    needed = int(settings.build.min_free_disk)
    found = f"{free / 1e9:.1f} GB free at {place}"
    if free < needed:
        hint = f"Pushes are refused with less than {needed // 1_000_000} MB (build.min_free_disk)."
        return Finding("disk", "problem", found, hint)
    return Finding("disk", "ok", found)


def _ports(settings: Settings) -> Iterator[Finding]:
    if Supervisor(settings).is_up:
        yield Finding("ports", "ok", "in use by Kurama itself, which is up")
        return
    left = len(orphans.find(settings.home))
    if left:
        found = f"{left} parts are running, but what keeps them is not"
        yield Finding("supervisor", "problem", found, "`kurama up` ends them and starts anew.")
        return
    for part in programs(settings):
        if part.port is None:
            continue
        setting, _, number = part.port
        try:
            check_port(*part.port)
        except KuramaError as error:
            yield Finding(f"port {number}", "problem", error.message, error.hint)
        else:
            yield Finding(f"port {number}", "ok", f"free ({setting})")


def _worker(settings: Settings) -> Iterator[Finding]:
    worker = local_worker(settings, "agent-doctor.log")
    try:
        can = worker.describe()
    except KuramaError as error:
        yield Finding("worker", "problem", error.message, error.hint)
        return
    finally:
        worker.close()
    if can["isolation"] == "none":
        yield Finding("isolation", "warning", can["warnings"][0], "See docs/how-to/isolation.md.")
    else:
        tree = "" if can["writable_tree"] else ", apps can't write beside their code"
        yield Finding("isolation", "ok", f"{can['isolation']}{tree}")
    if can["cgroups"]:
        yield Finding("limits", "ok", f"memory and CPU, by cgroups v{can['cgroups']}")
    else:
        hint = "A replica may take what it wants; see docs/how-to/isolation.md."
        yield Finding("limits", "warning", "cgroups can't be written here", hint)
    yield Finding("Pythons for apps", "ok", ", ".join(can["pythons"]))
