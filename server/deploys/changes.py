"""The five kinds of change, each with what it does while it holds the app's lock."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from server.deploys.rollout import Target, addresses, formation
from server.deploys.work import Work
from server.errors import RequestRejected
from server.models import App, ConfigVariable, DeployKind, Image, Release, Replica
from server.names import looks_secret
from server.router.router import MOST_WEB_REPLICAS


class Change(Protocol):
    """Something that makes new replicas start or old ones end."""

    kind: ClassVar[DeployKind]

    def run(self, work: Work) -> None:
        """Carry it out; any KuramaError means that the old release goes on as it was."""


@dataclass(frozen=True, slots=True)
class Push:
    """New code. `context` is its tree where preflight has laid it out already."""

    kind: ClassVar[DeployKind] = DeployKind.PUSH
    branch: str
    old_commit: str
    new_commit: str
    context: Path | None = None

    def run(self, work: Work) -> None:
        """Build the tree, release it, and clear away images that no rollback needs."""
        parts, app = work.parts, work.app
        version = parts.releases.next_version(app)
        repository = parts.repository(app)
        config = {variable.name: variable.value for variable in parts.apps.config(app)}
        work.narrator.step(f"Building v{version} on worker {parts.worker.name}")
        with work.stopwatch.lap("build"):
            image = self._build(work, config)
        subject = repository.subject(self.new_commit)
        work.release(image, config, f"Deploy {self.new_commit[:8]}: {subject}"[:200])
        repository.make_default(self.branch)
        work.later(lambda: prune(work))

    def _build(self, work: Work, config: Mapping[str, str]) -> Image:
        parts, app = work.parts, work.app
        with tempfile.TemporaryDirectory(dir=contexts(parts.settings.home)) as scratch:
            context = self.context or Path(scratch) / "tree"
            try:
                if not context.exists():
                    context.mkdir()
                    parts.repository(app).check_out(self.new_commit, context)
                built = parts.worker.build(
                    app.name,
                    context,
                    for_detection(config),
                    work.narrator.output,
                    work.cancelled,
                )
            finally:
                shutil.rmtree(context, ignore_errors=True)
        if built.reused_dependencies:
            work.narrator.output("Dependencies are as before: nothing to install")
        return parts.releases.add_image(
            app,
            reference=built.reference,
            commit=self.new_commit,
            processes=built.processes,
            release_command=built.release_command,
            python_version=built.python_version,
        )


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """Other values in the app's environment."""

    kind: ClassVar[DeployKind] = DeployKind.CONFIG
    changes: Sequence[ConfigVariable]
    removals: Sequence[str]

    def run(self, work: Work) -> None:
        """Release the live image with the new config; the config is kept if that works."""
        live = work.live()
        config = {variable.name: variable.value for variable in work.parts.apps.config(work.app)}
        config |= {change.name: change.value for change in self.changes}
        for name in self.removals:
            config.pop(name, None)
        image = work.parts.releases.image(live)
        work.release(image, config, self.description, self.changes, self.removals)

    @property
    def description(self) -> str:
        """What changed, by name: values may be secret."""
        parts = []
        if self.changes:
            parts.append("Set " + ", ".join(change.name for change in self.changes))
        if self.removals:
            parts.append("Unset " + ", ".join(self.removals))
        return "; ".join(parts)[:200]


@dataclass(frozen=True, slots=True)
class Rollback:
    """Back to an earlier release's image and config, as a new release."""

    kind: ClassVar[DeployKind] = DeployKind.ROLLBACK
    target: Release

    def run(self, work: Work) -> None:
        """Release what the target released; the app's config becomes the target's again."""
        image = work.parts.releases.image(self.target)
        now = {variable.name: variable for variable in work.parts.apps.config(work.app)}
        changes = [
            ConfigVariable(
                name, value, is_secret=now[name].is_secret if name in now else looks_secret(name)
            )
            for name, value in self.target.config.items()
        ]
        removals = [name for name in now if name not in self.target.config]
        work.narrator.step(f"Rolling back to {self.target.label}")
        description = f"Roll back to {self.target.label}"
        work.release(image, self.target.config, description, changes, removals)


@dataclass(frozen=True, slots=True)
class Restart:
    """The same release in new replicas."""

    kind: ClassVar[DeployKind] = DeployKind.RESTART

    def run(self, work: Work) -> None:
        """Start new replicas beside the old, switch, end the old."""
        release = work.live()
        image = work.parts.releases.image(release)
        wanted = formation(image, work.parts.apps.formation(work.app))
        before = work.parts.worker.replicas(work.app.name)
        started = work.rollout.boot(Target(work.app, release, image, wanted))
        work.take_over(started, before)
        work.say_done(f"{release.label} was restarted")


@dataclass(frozen=True, slots=True)
class Scale:
    """More or fewer replicas of some processes."""

    kind: ClassVar[DeployKind] = DeployKind.SCALE
    quantities: Mapping[str, int]

    def run(self, work: Work) -> None:
        """Start what is missing, and end what is too much, the highest numbers first."""
        release = work.live()
        image = work.parts.releases.image(release)
        check_quantities(work.app, image, self.quantities)
        wanted = formation(image, {**work.parts.apps.formation(work.app), **self.quantities})
        serving = work.replicas(release)
        kept = [one for one in serving if one.number <= wanted[one.process]]
        started = self._start_missing(work, Target(work.app, release, image, wanted), kept)
        work.parts.apps.scale(work.app, self.quantities)
        surplus = [one for one in serving if one not in kept]
        web = addresses([*kept, *started])
        if set(web) != set(addresses(serving)):
            work.rollout.switch(work.app, [*kept, *started])
        work.rollout.stop(surplus)
        text = ", ".join(f"{process}={count}" for process, count in wanted.items())
        work.say_done(f"{work.app.name} runs {text}")

    def _start_missing(self, work: Work, target: Target, kept: Sequence[Replica]) -> list[Replica]:
        missing, first = {}, {}
        for process, count in target.formation.items():
            highest = max((one.number for one in kept if one.process == process), default=0)
            missing[process] = max(0, count - highest)
            first[process] = highest + 1
        return work.rollout.boot(Target(target.app, target.release, target.image, missing), first)


def check_quantities(app: App, image: Image, quantities: Mapping[str, int]) -> None:
    """RequestRejected where a process isn't in the Procfile or a number is out of bounds."""
    for process, count in quantities.items():
        if process not in image.processes:
            known = ", ".join(image.processes)
            raise RequestRejected(
                f"{app.name} has no process {process!r}", f"Its Procfile has: {known}."
            )
        if not 0 <= count <= MOST_WEB_REPLICAS:
            raise RequestRejected(
                f"{process}={count} is out of bounds",
                f"A process may have 0 to {MOST_WEB_REPLICAS} replicas.",
            )


def for_detection(config: Mapping[str, str]) -> dict[str, str]:
    """Of an app's config, what decides how it is built."""
    return {name: value for name, value in config.items() if name == "FLASK_APP"}


def contexts(home: Path) -> Path:
    """The folder in which trees stand until they are built."""
    folder = home / "contexts"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def prune(work: Work) -> None:
    """Delete the images that neither a running replica nor a rollback needs."""
    keep = work.parts.releases.kept_images(work.app, work.parts.settings.build.keep_images)
    work.parts.worker.prune(work.app.name, keep)
