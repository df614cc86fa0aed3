"""`kurama down`: stops the apps, the services and the engines, in that order, and waits for it."""

from collections.abc import Callable

from server.errors import EngineError, KuramaError
from server.operate import orphans
from server.operate.programs import SERVICES
from server.operate.supervisor import Supervisor
from server.settings import Settings
from server.workers.pool import local_worker

_SERVICE_PATIENCE_S = 30.0
_ENGINE_PATIENCE_S = 60.0
# What still writes records goes first; what stores them last.
_FIRST = ("interface",)


def stop(settings: Settings, say: Callable[[str], None]) -> bool:
    """Stop everything; return whether there was anything to stop."""
    supervisor = Supervisor(settings)
    if not supervisor.is_up:
        # What has outlived a supervisor that was killed.
        _stop_apps(settings)
        return bool(orphans.end(settings.home))
    say("stopping the apps")
    supervisor.stop_parts(_FIRST, _SERVICE_PATIENCE_S)
    _stop_apps(settings)
    say("stopping the services")
    supervisor.stop_parts([name for name in SERVICES if name not in _FIRST], _SERVICE_PATIENCE_S)
    say("stopping the engines")
    if not supervisor.shutdown(_ENGINE_PATIENCE_S):
        raise EngineError(
            "The supervisor did not end in time", "`kurama status` shows what still runs."
        )
    return True


def _stop_apps(settings: Settings) -> None:
    if not (settings.home / "worker").exists():
        return
    worker = local_worker(settings, "agent-down.log")
    try:
        worker.shutdown()
    except KuramaError as error:
        raise EngineError(f"The apps could not be stopped: {error.message}", error.hint) from error
    finally:
        worker.close()
