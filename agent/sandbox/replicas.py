"""Replicas: described in a file each, kept by supervisord, found again by what is on disk."""

import contextlib
import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.faults import Fault, FaultCode
from agent.runtime import Launch, ReplicaStatus
from agent.sandbox import connections, environment, folders, ports, spec
from agent.sandbox.cgroups import Cgroups
from agent.sandbox.identity import Identities
from agent.sandbox.images import Images, StoredImage
from agent.sandbox.jail import Jail, View, write_etc
from agent.sandbox.layout import Layout
from agent.sandbox.options import Options
from agent.sandbox.supervisor import Program, Supervisor

_HOST = "127.0.0.1"
# A file in a replica's folder: it is on its way out.
_STOPPING = "stopping"
_STATES = {
    "STARTING": "starting",
    "BACKOFF": "starting",
    "EXITED": "starting",
    "RUNNING": "running",
    "FATAL": "crashed",
    "STOPPING": "stopping",
}
# On top of its grace, for what is killed to be gone.
_KILL_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class ReplicaFile:
    """What is written down of a replica, for as long as it is meant to run."""

    instance: str
    app: str
    release: int
    process: str
    number: int
    image: str
    port: int
    grace_s: float
    created_at: float


class Replicas:
    """What runs here. Several agents may share it: changes are made under a lock."""

    def __init__(
        self,
        layout: Layout,
        options: Options,
        jail: Jail,
        cgroups: Cgroups,
        host_environment: Mapping[str, str],
    ) -> None:
        self._layout = layout
        self._options = options
        self._jail = jail
        self._cgroups = cgroups
        self._host_environment = host_environment
        self._supervisor = Supervisor(layout)
        self._images = Images(layout)
        self.identities = Identities(layout, options.first_uid)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the worker's lock: one agent changes what runs at a time."""
        with self._layout.lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def start(self, launch: Launch) -> list[ReplicaStatus]:
        """Start `launch.count` replicas; return them as they are now: just begun."""
        image = self._images.load(launch.app, launch.image)
        if launch.process not in image.processes:
            raise Fault(
                FaultCode.START_FAILED,
                f"The image {launch.image} of {launch.app} has no process {launch.process}",
                f"It has {', '.join(sorted(image.processes))}: the Procfile names them.",
            )
        with self.locked():
            started = [
                self._start_one(launch, image, number)
                for number in range(launch.first, launch.first + launch.count)
            ]
        return [_status(file, "starting") for file in started]

    def ensure(self) -> None:
        """Have supervisord running where anything is meant to run."""
        if any((self._layout.home / "conf.d").glob("*.conf")):
            with self.locked():
                self._supervisor.ensure()

    def stop(self, instances: Sequence[str], *, wait: bool, drain: bool = True) -> None:
        """End these replicas side by side; what they printed stays until it is dropped.

        From now on they count as stopping. Without `wait` the rest happens in the background; if
        this process ends before it is done, another `stop` takes it up.
        """
        files = [file for file in self.files() if file.instance in set(instances)]
        for file in files:
            (self._layout.replica(file.instance) / _STOPPING).touch()
            self._supervisor.forget(file.instance)
        if wait:
            self._end(files, drain=drain)
        elif files:
            threading.Thread(target=self._end, args=(files,), daemon=True).start()

    def revive(self, instances: Sequence[str]) -> None:
        """Try replicas once more that were given up as crashed."""
        self._supervisor.revive(instances)

    def statuses(self, app: str | None = None) -> list[ReplicaStatus]:
        """Every replica that is meant to run, of one app or of all, as it is now."""
        self.ensure()
        programs = {program.name: program for program in self._supervisor.programs()}
        return [self._observe(file, programs) for file in self.files() if app in (None, file.app)]

    def files(self) -> list[ReplicaFile]:
        """What is written down of each replica, in the order of their names."""
        found = []
        for path in sorted((self._layout.home / "replicas").glob("*/replica.json")):
            # One that is being stopped may go while this looks.
            with contextlib.suppress(OSError, ValueError):
                found.append(ReplicaFile(**json.loads(path.read_text())))
        return found

    def shutdown(self) -> None:
        """Stop everything and supervisord; all of it comes back with the next `ensure`."""
        patience = max((file.grace_s for file in self.files()), default=0.0) + _KILL_PATIENCE_S
        with self.locked():
            self._supervisor.shutdown(patience)

    def listens(self, instance: str) -> bool:
        """Whether a process of this replica listens on its port."""
        file = next((file for file in self.files() if file.instance == instance), None)
        pid = self.pids().get(instance)
        if file is None or pid is None:
            return False
        return connections.listens(pid, file.port)

    def pids(self) -> dict[str, int]:
        """The process that supervisord started for each running replica."""
        programs = self._supervisor.programs()
        return {program.name: program.pid for program in programs if program.pid}

    def _observe(self, file: ReplicaFile, programs: Mapping[str, Program]) -> ReplicaStatus:
        program = programs.get(file.instance)
        state = _STATES.get(program.state, "stopped") if program else "stopped"
        if (self._layout.replica(file.instance) / _STOPPING).exists():
            state = "stopping"
        if program is None:
            return _status(file, state)
        detail = _detail(program, self._cgroups.out_of_memory(file.instance))
        return _status(file, state, program, detail)

    def _end(self, files: Sequence[ReplicaFile], *, drain: bool = True) -> None:
        if drain:
            connections.wait_for_end({file.port: file.grace_s for file in files})
        patience = max((file.grace_s for file in files), default=0.0) + _KILL_PATIENCE_S
        self._supervisor.stop([file.instance for file in files], patience)
        for file in files:
            folders.remove(self._layout.replica(file.instance))
            self._cgroups.remove(file.instance)

    def _start_one(self, launch: Launch, image: StoredImage, number: int) -> ReplicaFile:
        instance = (
            f"{launch.app}.v{launch.release}.{launch.process}.{number}.{secrets.token_hex(3)}"
        )
        port = self._next_port()
        file = ReplicaFile(
            instance,
            launch.app,
            launch.release,
            launch.process,
            number,
            launch.image,
            port,
            launch.grace_s,
            time.time(),
        )
        folder = self._layout.replica(instance)
        folder.mkdir(mode=0o700)
        command = self._describe(file, launch, image, folder)
        for path in (folder / "replica.json", self._layout.log(instance).with_suffix(".json")):
            path.write_text(json.dumps(asdict(file)))
        self._supervisor.add(
            instance,
            command,
            grace_s=launch.grace_s,
            log_bytes=self._options.log_buffer,
        )
        return file

    def _describe(
        self, file: ReplicaFile, launch: Launch, image: StoredImage, folder: Path
    ) -> list[str]:
        """Write the replica's spec; return the command that launches it."""
        groups = self._cgroups.groups(file.instance, launch.limits)
        view = self.view(launch.app, image, folder, groups)
        own = {
            "PORT": str(file.port),
            "KURAMA_APP": file.app,
            "KURAMA_PROCESS": file.process,
            "KURAMA_REPLICA": f"{file.process}.{file.number}",
            "KURAMA_RELEASE": f"v{file.release}",
        }
        variables = environment.for_process(
            launch.app,
            image,
            self._layout,
            self._jail,
            view,
            {**launch.environment, **own},
            self._host_environment,
        )
        command = spec.shell(image.processes[launch.process], f"{file.process}.{file.number}")
        path = folder / "spec.json"
        return spec.write(path, self._jail, view, command, variables, groups)

    def view(self, app: str, image: StoredImage, folder: Path, groups: Sequence[object]) -> View:
        """What a process of `image` sees, with `folder` for what it writes."""
        uid = self.identities.uid(app)
        data = self._layout.app(app) / "data"
        upper, work, tmp = (folder / name for name in ("upper", "work", "tmp"))
        for path in (data, upper, work, tmp):
            path.mkdir(mode=0o700, exist_ok=True)
        upper.chmod(0o755)
        self.identities.give(uid, upper, tmp)
        if uid is not None:
            os.chown(data, uid, uid)
        write_etc(folder / "etc", uid)
        readable = [self._layout.venv(app, image.venv), *self._readable(image)]
        return View(
            app=app,
            uid=uid,
            tree=self._images.tree(app, image.reference),
            tmp=tmp,
            etc=folder / "etc",
            layers=(upper, work),
            data=data,
            readable=readable,
            groups=tuple(groups),  # type: ignore[arg-type]
        )

    def _readable(self, image: StoredImage) -> list[Path]:
        python = Path(image.python_home)
        outside = [] if python.is_relative_to("/usr") else [python]
        certificates = environment.certificate_paths(self._host_environment)
        return [*outside, Path(image.library), *certificates]

    def _next_port(self) -> int:
        used = [file.port for file in self.files()]
        last = self._layout.home / "last-port"
        after = int(last.read_text()) if last.exists() else self._options.last_port
        options = self._options
        for port in ports.free(options.first_port, options.last_port, set(used), after):
            last.write_text(str(port))
            return port
        raise Fault(
            FaultCode.START_FAILED,
            f"No port from {options.first_port} to {options.last_port} is free",
            "Widen sandbox.first_port to sandbox.last_port, or scale something down.",
        )


def _status(
    file: ReplicaFile, state: str, program: Program | None = None, detail: str = ""
) -> ReplicaStatus:
    return ReplicaStatus(
        instance=file.instance,
        app=file.app,
        release=file.release,
        process=file.process,
        number=file.number,
        host=_HOST,
        port=file.port,
        state=state,
        created_at=file.created_at,
        started_at=program.started_at if program and program.pid else None,
        has_exited=bool(program and program.stopped_at),
        detail=detail,
    )


def _detail(program: Program, out_of_memory: int) -> str:
    """Why it isn't running, or why it was started again, for people."""
    if not program.stopped_at:
        return ""
    ago = max(0, time.time() - program.stopped_at)
    status = "" if program.exit_status is None else f" with status {program.exit_status}"
    memory = ", out of memory" if out_of_memory else ""
    return f"ended {ago:.0f} s ago{status}{memory}"
