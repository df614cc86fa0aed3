"""Where the sandbox keeps what: one object that knows every path, and nothing else.

HOME/apps/APP/images/REF/src, image.json    a build's tree and its description
HOME/apps/APP/receipts/FINGERPRINT.json     that a virtual environment is complete
HOME/apps/APP/installed/venvs/FINGERPRINT   a virtual environment, shared by images
HOME/apps/APP/installed/cache               uv's cache, the app's own
HOME/apps/APP/data                          /data in each replica: outlives releases
HOME/replicas/INSTANCE/…                    a replica's description, writable layer, /tmp
HOME/logs/INSTANCE.log, .log.1 …            its output, in a ring of files
HOME/conf.d/INSTANCE.conf                   its program, for supervisord
HOME/lib/HASH/flask_kurama                  the library that images are given

Of an app's folder its builds see `installed` and its processes `data`: what is believed about an
image stands where nothing that is pushed can write.
"""

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

    def installed(self, app: str) -> Path:
        """What builds of the app write, besides the tree that is built."""
        return self.app(app) / "installed"

    def cache(self, app: str) -> Path:
        """What uv has downloaded and made for the app."""
        return self.installed(app) / "cache"

    def venv(self, app: str, fingerprint: str) -> Path:
        """The virtual environment of all images with this fingerprint."""
        return self.installed(app) / "venvs" / fingerprint

    def receipt(self, app: str, fingerprint: str) -> Path:
        """The file that is there once that virtual environment is complete."""
        return self.app(app) / "receipts" / f"{fingerprint}.json"

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
