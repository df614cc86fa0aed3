"""Where the sandbox keeps what: one object that knows every path, and nothing else.

HOME/apps/APP/images/REF/src, image.json    a build's tree and its description
HOME/apps/APP/venvs/FINGERPRINT             a virtual environment, shared by images
HOME/apps/APP/cache                         uv's cache, the app's own
HOME/apps/APP/data                          /data in each replica: outlives releases
HOME/replicas/INSTANCE/…                    a replica's description, writable layer, /tmp
HOME/logs/INSTANCE.log, .log.1 …            its output, in a ring of files
HOME/conf.d/INSTANCE.conf                   its program, for supervisord
HOME/lib/HASH/flask_kurama                  the library that images are given
"""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths under `home`. `socket` is supervisord's, which may have to be elsewhere."""

    home: Path
    socket: Path

    def app(self, name: str) -> Path:
        """The folder of one app, which its own user id owns."""
        return self.home / "apps" / name

    def image(self, app: str, reference: str) -> Path:
        """The folder of one image."""
        return self.app(app) / "images" / reference

    def venv(self, app: str, fingerprint: str) -> Path:
        """The virtual environment of all images with this fingerprint."""
        return self.app(app) / "venvs" / fingerprint

    def replica(self, instance: str) -> Path:
        """The folder of one replica."""
        return self.home / "replicas" / instance

    def log(self, instance: str) -> Path:
        """The newest file of one replica's output."""
        return self.home / "logs" / f"{instance}.log"

    def program(self, instance: str) -> Path:
        """The file that makes supervisord keep the replica."""
        return self.home / "conf.d" / f"{instance}.conf"

    @property
    def supervisord_conf(self) -> Path:
        """Supervisord's own configuration."""
        return self.home / "supervisord.conf"

    @property
    def lock(self) -> Path:
        """The file whose lock one agent holds while it changes what runs."""
        return self.home / "lock"

    def make(self) -> None:
        """Make the folders that are always there."""
        for name in ("apps", "replicas", "logs", "conf.d", "lib"):
            (self.home / name).mkdir(mode=0o700, parents=True, exist_ok=True)


def delete(folder: Path) -> None:
    """Delete a folder and all that an app has left in it.

    Some of it may have no permissions even for its owner: folders that the app made so, and the
    work folder of every overlay.
    """
    for path, folders, _ in os.walk(folder):
        for inner in (Path(path) / name for name in folders):
            if not inner.is_symlink():
                with contextlib.suppress(OSError):
                    inner.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
