"""Images and the releases made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.extras import Json

from server.errors import Conflict, NotFound
from server.models import App, ConfigVariable, Image, Release, ReleaseState
from server.store.database import Database


@dataclass(frozen=True, slots=True)
class ReleaseSummary:
    """A release with the commit of its image, for lists."""

    release: Release
    commit: str


class Releases:
    """What was built for an app, what was released, and which release is live."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_image(
        self,
        app: App,
        *,
        reference: str,
        commit: str,
        processes: Mapping[str, str],
        release_command: str | None,
        python_version: str,
    ) -> Image:
        """Remember an image; one with the same reference is the same image."""
        with self._database.transaction() as connection:
            row = self._database.queries.insert_image(
                connection,
                app_id=app.id,
                reference=reference,
                commit=commit,
                processes=Json(dict(processes)),
                release_command=release_command,
                python_version=python_version,
            )
        return Image(**row)

    def image(self, release: Release) -> Image:
        """The image that `release` was made of."""
        with self._database.transaction() as connection:
            row = self._database.queries.find_image(connection, image_id=release.image_id)
        return Image(**row)

    def kept_images(self, app: App, keep: int) -> list[str]:
        """References of the images in use and of the latest ones, `keep` in all."""
        with self._database.transaction() as connection:
            rows = list(
                self._database.queries.list_kept_images(connection, app_id=app.id, keep=keep)
            )
        return [row["reference"] for row in rows]

    def next_version(self, app: App) -> int:
        """The number the app's next release will get if nothing comes between."""
        with self._database.transaction() as connection:
            return int(self._database.queries.next_version(connection, app_id=app.id))

    def add(
        self,
        app: App,
        image: Image,
        *,
        config: Mapping[str, str],
        description: str,
        created_by: str,
        deploy_id: int,
    ) -> Release:
        """Record the next release as pending and tie it to its deploy."""
        queries = self._database.queries
        with self._database.transaction() as connection:
            row = queries.insert_release(
                connection,
                app_id=app.id,
                image_id=image.id,
                config=Json(dict(config)),
                description=description,
                created_by=created_by,
            )
            queries.attach_release(connection, deploy_id=deploy_id, release_id=row["id"])
        return _release(row)

    def live(self, app: App) -> Release | None:
        """The release that serves, or None before the first one."""
        if app.release_id is None:
            return None
        return self.get(app.release_id)

    def get(self, release_id: int) -> Release:
        """The release with this id; NotFound if there is none."""
        with self._database.transaction() as connection:
            row = self._database.queries.find_release_by_id(connection, release_id=release_id)
        if row is None:
            raise NotFound(f"No release has the id {release_id}")
        return _release(row)

    def by_version(self, app: App, version: int) -> Release:
        """The app's release `version`; NotFound if it never had that one."""
        with self._database.transaction() as connection:
            row = self._database.queries.find_release(connection, app_id=app.id, version=version)
        if row is None:
            raise NotFound(
                f"{app.name} has no release v{version}",
                f"`kurama releases -a {app.name}` lists them.",
            )
        return _release(row)

    def before(self, app: App, release: Release) -> Release:
        """The release that served before `release`; NotFound if it was the first."""
        with self._database.transaction() as connection:
            row = self._database.queries.find_rollback_target(
                connection, app_id=app.id, version=release.version
            )
        if row is None:
            raise NotFound(
                f"{app.name} has no release before {release.label} to go back to",
                f"`kurama releases -a {app.name}` lists them.",
            )
        return _release(row)

    def latest(self, app: App, count: int) -> Sequence[ReleaseSummary]:
        """The app's latest `count` releases, newest first."""
        with self._database.transaction() as connection:
            rows = list(
                self._database.queries.list_releases(connection, app_id=app.id, count=count)
            )
        return [ReleaseSummary(_release(row), row["commit"]) for row in rows]

    def make_live(
        self,
        app: App,
        release: Release,
        changes: Sequence[ConfigVariable] = (),
        removals: Sequence[str] = (),
    ) -> None:
        """Make `release` the one that serves, with the config changes that it was made for.

        Conflict, and nothing changed, when it isn't pending any more.
        """
        queries = self._database.queries
        with self._database.transaction() as connection:
            queries.supersede_live(connection, app_id=app.id)
            if not queries.make_live(connection, release_id=release.id):
                raise Conflict(f"{release.label} was given up in the meantime", "Deploy again.")
            queries.point_app_at(connection, app_id=app.id, release_id=release.id)
            for change in changes:
                queries.set_config(
                    connection,
                    app_id=app.id,
                    name=change.name,
                    value=change.value,
                    is_secret=change.is_secret,
                )
            for name in removals:
                queries.unset_config(connection, app_id=app.id, name=name)

    def fail(self, release_id: int) -> None:
        """Mark a release that never served as failed; one that is live stays live."""
        with self._database.transaction() as connection:
            self._database.queries.fail_release(connection, release_id=release_id)


def _release(row: Mapping[str, Any]) -> Release:
    fields = {name: row[name] for name in Release.__dataclass_fields__}
    return Release(**{**fields, "state": ReleaseState(row["state"])})
