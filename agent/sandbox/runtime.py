"""The sandbox as a `Runtime`: its parts put together."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from agent import process
from agent.build import detect, pythons
from agent.build.plan import BuildPlan
from agent.build.pythons import Interpreter
from agent.faults import Fault, FaultCode
from agent.runtime import (
    Image,
    Launch,
    Limits,
    LogFollower,
    Output,
    ReplicaStats,
    ReplicaStatus,
    Stop,
)
from agent.sandbox import environment, folders, jail, logs, spec, stats
from agent.sandbox.builder import Builder
from agent.sandbox.cgroups import Cgroups
from agent.sandbox.images import Images
from agent.sandbox.layout import Layout
from agent.sandbox.options import Options
from agent.sandbox.replicas import Replicas


class SandboxRuntime:
    """Builds with uv and runs under bubblewrap and supervisord, all below one folder."""

    def __init__(self, home: Path, socket: Path, options: Options) -> None:
        self._layout = Layout(home, socket)
        self._layout.make()
        self._options = options
        self._host = dict(os.environ)
        self._jail = jail.probe(options.isolation, home / "probe")
        if options.isolation == "required" and not self._jail.confines:
            raise Fault(
                FaultCode.START_FAILED,
                f"sandbox.isolation is `required`, but {self._jail.problem}",
                "Mend that, or set it to `auto` to run apps unconfined.",
            )
        self._cgroups = Cgroups()
        self._images = Images(self._layout)
        self._replicas = Replicas(self._layout, options, self._jail, self._cgroups, self._host)
        self._builder = Builder(
            self._layout,
            options,
            self._jail,
            self._cgroups,
            self._replicas.identities,
            _uv(),
            self._host,
        )

    def describe(self) -> Mapping[str, Any]:
        """What this worker can do: runtime, isolation, limits, Pythons, warnings."""
        return {
            "runtime": "sandbox",
            "isolation": "bubblewrap" if self._jail.confines else "none",
            "writable_tree": self._jail.overlay or not self._jail.confines,
            "cgroups": self._cgroups.version,
            "cpus": os.cpu_count() or 1,
            "memory": psutil.virtual_memory().total,
            "pythons": sorted({".".join(map(str, p.version)) for p in self._pythons}),
            "warnings": self._warnings(),
        }

    def preflight(
        self, app: str, context: Path, environment: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """Decide what would be built of the tree in `context`; Fault where it can't be."""
        plan = self._plan(context, environment)
        return {
            "source": plan.source,
            "python_version": plan.python_version,
            "processes": dict(plan.processes),
            "notes": list(plan.notes),
        }

    def build(
        self, app: str, context: Path, environment: Mapping[str, str], output: Output, stop: Stop
    ) -> Image:
        """Make an image; `context` is the runtime's from now on, and gone if the build fails."""
        plan = self._plan(context, environment)
        with self._replicas.locked():
            uid = self._replicas.identities.uid(app)
        return self._builder.build(app, uid, context, plan, output, stop)

    def start(self, launch: Launch) -> list[ReplicaStatus]:
        """See Runtime."""
        return self._replicas.start(launch)

    def stop(self, instances: Sequence[str], *, wait: bool) -> None:
        """See Runtime."""
        self._replicas.stop(instances, wait=wait)

    def revive(self, instances: Sequence[str]) -> None:
        """See Runtime."""
        self._replicas.revive(instances)

    def replicas(self, app: str | None = None) -> list[ReplicaStatus]:
        """See Runtime."""
        return self._replicas.statuses(app)

    def listens(self, instance: str) -> bool:
        """See Runtime."""
        return self._replicas.listens(instance)

    def follow(self, cursors: Mapping[str, str]) -> LogFollower:
        """See Runtime."""
        return logs.Follower(self._layout, cursors)

    def drop_logs(self, instances: Sequence[str]) -> None:
        """See Runtime."""
        for instance in instances:
            logs.drop(self._layout, instance)

    def tail(self, instance: str, count: int) -> list[str]:
        """See Runtime."""
        return logs.tail(self._layout, instance, count)

    def stats(self) -> list[ReplicaStats]:
        """See Runtime."""
        return stats.collect(self._cgroups, self._replicas.pids())

    def run(
        self,
        image: str,
        app: str,
        command: str,
        environment_: Mapping[str, str],
        limits: Limits,
        output: Output,
        stop: Stop,
    ) -> int:
        """Run a one-off command in an image, with a writable layer of its own."""
        stored = self._images.load(app, image)
        with tempfile.TemporaryDirectory(prefix="run-", dir=self._layout.home / "replicas") as name:
            folder = Path(name)
            groups = self._cgroups.groups(folder.name, limits)
            view = self._replicas.view(app, stored, folder, groups)
            # What a one-off says is read by who runs it, not by the pipeline.
            config = {"KURAMA_INSTRUMENT": "off", **environment_}
            variables = environment.for_process(
                app, stored, self._layout, self._jail, view, config, self._host
            )
            launch = spec.write(
                folder / "spec.json", self._jail, view, spec.shell(command), variables, groups
            )
            try:
                return process.run(
                    launch,
                    environment={},
                    cwd=view.tree,
                    output=output,
                    stop=stop,
                    timeout=self._options.run_timeout,
                )
            except process.Interrupted as interrupted:
                raise Fault(
                    FaultCode.COMMAND_FAILED, f"`{command}` was ended: {interrupted.reason}"
                ) from None
            finally:
                self._cgroups.remove(folder.name)

    def prune(self, app: str, keep: Sequence[str]) -> list[str]:
        """See Runtime."""
        in_use = {file.image for file in self._replicas.files() if file.app == app}
        return self._images.prune(app, in_use | set(keep))

    def remove(self, app: str) -> None:
        """See Runtime."""
        instances = [file.instance for file in self._replicas.files() if file.app == app]
        self._replicas.stop(instances, wait=True, drain=False)
        folders.remove(self._layout.app(app))

    def shutdown(self) -> None:
        """See Runtime."""
        self._replicas.shutdown()

    def _plan(self, context: Path, environment: Mapping[str, str]) -> BuildPlan:
        return detect.plan(context, self._pythons, environment=environment)

    @cached_property
    def _pythons(self) -> list[Interpreter]:
        found = pythons.installed(_uv())
        own = sys.version_info[:2]
        # The platform's own Python is the one an app gets that asks for none.
        return sorted(found, key=lambda python: tuple(python.version[:2]) != own)

    def _warnings(self) -> list[str]:
        warnings = []
        if not self._jail.confines:
            warnings.append(f"Apps are not isolated from each other: {self._jail.problem}.")
        elif not self._jail.overlay:
            warnings.append("Apps can't write beside their code here: overlays don't work.")
        if not self._cgroups.version:
            warnings.append("Memory and CPU limits are off: cgroups can't be written here.")
        return warnings


def _uv() -> Path:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise Fault(
            FaultCode.START_FAILED,
            "uv, which builds need, is neither beside Python nor on PATH",
            "pip install uv",
        )
    return Path(found)
