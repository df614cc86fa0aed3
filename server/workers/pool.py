"""The workers of this platform by name. So far there is one: this machine."""

from server.settings import Settings
from server.workers.channel import LocalChannel
from server.workers.client import Limits, Worker

LOCAL = "local"


def local_worker(settings: Settings, log: str) -> Worker:
    """This machine as a worker; `log` names the file that its agent's errors go to."""
    home = settings.home / "worker"
    socket = settings.run_dir / "worker.sock"
    path = settings.home / "logs" / log
    sandbox, build = settings.sandbox, settings.build
    options = {
        "isolation": sandbox.isolation,
        "first_port": sandbox.first_port,
        "last_port": sandbox.last_port,
        "first_uid": sandbox.first_uid,
        "log_buffer": int(sandbox.log_buffer),
        "build_timeout": build.timeout.total_seconds(),
        "build_memory": int(build.memory),
        "run_timeout": settings.deploy.release_timeout.total_seconds(),
        "min_free_disk": int(build.min_free_disk),
    }
    return Worker(LOCAL, lambda: LocalChannel(home, socket, path), options)


def limits(settings: Settings) -> Limits:
    """What one replica may use."""
    return Limits(int(settings.sandbox.memory), settings.sandbox.cpus)
