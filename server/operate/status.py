"""`kurama status`: each part, how it is, since when, and what memory it holds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from server.operate.health import Checks
from server.operate.programs import Program, programs
from server.operate.supervisor import PartState, Supervisor
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part. `state`: ok, degraded, down or external; `memory`: its processes' PSS in bytes."""

    name: str
    kind: str
    state: str
    detail: str
    pid: int | None
    up_s: float | None
    memory: int | None
    port: int | None


def status(settings: Settings) -> list[PartStatus]:
    """Every part of the platform; none when it isn't up."""
    supervisor = Supervisor(settings)
    states = {state.name: state for state in supervisor.states()}
    if not states:
        return []
    checks = Checks(settings)
    found = [_of(part, states.get(part.name), checks) for part in programs(settings)]
    return [*found, *_others(settings)]


def is_healthy(parts: Sequence[PartStatus]) -> bool:
    """Whether there is something and all of it is well."""
    return bool(parts) and all(part.state in ("ok", "external") for part in parts)


def _of(part: Program, state: PartState | None, checks: Checks) -> PartStatus:
    health = checks.check_program(part)
    running = state is not None and state.pid
    detail = health.detail if running or not state else f"{state.state}: {state.detail}"
    return PartStatus(
        name=part.name,
        kind=part.kind,
        state=health.state if running else "down",
        detail=detail,
        pid=state.pid if state and running else None,
        up_s=time.time() - state.started_at if state and running else None,
        memory=memory(state.pid) if state and running else None,
        port=part.port[2] if part.port else None,
    )


def _others(settings: Settings) -> list[PartStatus]:
    """The two supervisors, and engines that are somebody else's."""
    found = []
    keepers = {
        "supervisor": settings.home / "run" / "supervisord.pid",
        "worker": settings.home / "worker" / "supervisord.pid",
    }
    for name, path in keepers.items():
        try:
            pid = int(path.read_text())
            process = psutil.Process(pid)
        except (OSError, ValueError, psutil.Error):
            continue
        up = time.time() - process.create_time()
        own = _pss(process)
        found.append(PartStatus(name, "keeper", "ok", "", pid, up, own, None))
    checks = Checks(settings)
    for name, url in (("postgres", settings.database.url), ("nats", settings.bus.url)):
        if url.get_secret_value():
            health = checks.check(name)
            state = "external" if health.is_ok else health.state
            found.append(PartStatus(name, "engine", state, health.detail, None, None, None, None))
    return found


def memory(pid: int) -> int | None:
    """The PSS of a process and all that it started, in bytes; None where it can't be read."""
    try:
        first = psutil.Process(pid)
        family = [first, *first.children(recursive=True)]
    except psutil.Error:
        return None
    sizes = [_pss(process) for process in family]
    return sum(size for size in sizes if size is not None)


def _pss(process: psutil.Process) -> int | None:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return None
