"""The parts of the platform that deploys work with, put together once."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from server.models import App
from server.repos.repository import Repository
from server.router.router import Router
from server.settings import Settings
from server.store.apps import Apps
from server.store.deploys import Deploys
from server.store.releases import Releases
from server.workers.client import Worker


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything below the deploys, for their constructors."""

    settings: Settings
    apps: Apps
    releases: Releases
    deploys: Deploys
    router: Router
    worker: Worker

    def repository_path(self, app: str) -> Path:
        """Where the app's repository is."""
        return self.settings.home / "repos" / f"{app}.git"

    def create_repository(self, app: App) -> None:
        """Make the app's repository, empty: what an app of the same name left is deleted."""
        path = self.repository_path(app.name)
        shutil.rmtree(path, ignore_errors=True)
        Repository.create(path)

    def delete_repository(self, app: App) -> None:
        """Delete the app's repository."""
        shutil.rmtree(self.repository_path(app.name), ignore_errors=True)

    def repository(self, app: App) -> Repository:
        """The app's repository."""
        return Repository(self.repository_path(app.name))
