"""One deploy under way: what it works on, and the steps that several kinds of deploy share."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from server import duration
from server.deploys.narrator import Narrator
from server.deploys.parts import Parts
from server.deploys.rollout import Rollout, Target, current, formation
from server.deploys.stopwatch import Stopwatch
from server.errors import NotFound, ReleaseCommandFailed, RouterError
from server.models import App, ConfigVariable, Deploy, Image, Release, Replica
from server.workers.pool import limits


@dataclass(frozen=True, slots=True)
class Work:
    """What a change needs to be carried out. `later` runs what need not be waited for."""

    parts: Parts
    app: App
    deploy: Deploy
    narrator: Narrator
    rollout: Rollout
    cancelled: threading.Event
    later: Callable[[Callable[[], None]], object]
    stopwatch: Stopwatch

    def live(self) -> Release:
        """The release that serves; NotFound before the first."""
        release = self.parts.releases.live(self.app)
        if release is None:
            raise NotFound(
                f"{self.app.name} has no release yet", "Deploy it first: git push kurama main."
            )
        return release

    def replicas(self, release: Release) -> list[Replica]:
        """The replicas of the app that serve, without those that are on their way out."""
        return current(self.parts.worker.replicas(self.app.name), release)

    def release(
        self,
        image: Image,
        config: Mapping[str, str],
        description: str,
        changes: Sequence[ConfigVariable] = (),
        removals: Sequence[str] = (),
    ) -> Release:
        """Make a release of `image` and `config` and let it take over from the one before.

        `changes` and `removals` become the app's config together with it. Until the switch, any
        error leaves the release before it as it was.
        """
        release = self.parts.releases.add(
            self.app,
            image,
            config=config,
            description=description,
            created_by=self.deploy.created_by,
            deploy_id=self.deploy.id,
        )
        wanted = formation(image, self.parts.apps.formation(self.app))
        try:
            with self.stopwatch.lap("release"):
                self._run_release_command(image, release)
            before = self.parts.worker.replicas(self.app.name)
            started = self.rollout.boot(Target(self.app, release, image, wanted))
            try:
                self.parts.releases.make_live(self.app, release, changes, removals)
            except Exception:
                self.rollout.stop(started)
                raise
        except Exception:
            self.parts.releases.fail(release.id)
            raise
        self.take_over(started, before)
        self._say_done(release, serving=bool(wanted.get("web")))
        return release

    def take_over(self, started: Sequence[Replica], before: Sequence[Replica]) -> None:
        """Switch to `started` and let the replicas that served before end."""
        try:
            self.rollout.switch(self.app, started)
        except RouterError as error:
            # The release is live: the router follows as soon as it can, by the reconciler.
            self.narrator.step(f"The router will follow: {error.message}")
        self.rollout.stop(before)

    def say_done(self, text: str) -> None:
        """The last line, with how long it took."""
        took = duration.short(self.stopwatch.total_s)
        self.narrator.done(f"{text} ({took})")

    def _run_release_command(self, image: Image, release: Release) -> None:
        if not image.release_command:
            return
        self.narrator.step(f"Running the release command: {image.release_command}")
        status = self.parts.worker.run(
            image=image.reference,
            app=self.app.name,
            command=image.release_command,
            environment={**release.config, "KURAMA_RELEASE": release.label},
            limits=limits(self.parts.settings),
            output=self.narrator.output,
            cancelled=self.cancelled,
        )
        if status:
            raise ReleaseCommandFailed(
                f"The release command ended with status {status}: {image.release_command}",
                "Its output is above.",
            )

    def _say_done(self, release: Release, *, serving: bool) -> None:
        url = self.parts.settings.app_url(self.app.name)
        self.say_done(f"{release.label} is live" + (f" at {url}" if serving else ""))
