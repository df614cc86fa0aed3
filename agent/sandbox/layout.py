"""Where the sandbox keeps what: one object that knows every path, and nothing else.

HOME/apps/APP/images/REF/src, image.json    a build's tree and its description
HOME/apps/APP/venvs/FINGERPRINT, ….json     a virtual environment, shared by images; it is whole
HOME/apps/APP/work                          what builds may write: an environment, uv's cache
HOME/apps/APP/data                          /data in each replica: outlives releases
HOME/replicas/INSTANCE/…                    a replica's description, writable layer, /tmp
HOME/logs/INSTANCE.log, .log.1 …            its output, in a ring of files
HOME/conf.d/INSTANCE.conf                   its program, for supervisord
HOME/lib/HASH/flask_kurama                  the library that images are given
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths under `home`. `socket` is supervisord's, which may have to be elsewhere.

    Of an app's folder, an app's own programs may write `work` and `data` and nothing else: whoever
    can write a folder can put a link there, and we would write, or show a jail, what it leads to.
    """

    home: Path
    socket: Path

    def app(self, name: str) -> Path:
        """The folder of one app; its group is the app's user id."""
        return self.home / "apps" / name

    def image(self, app: str, reference: str) -> Path:
        """The folder of one image."""
        return self.app(app) / "images" / reference

    def venv(self, app: str, fingerprint: str) -> Path:
        """The virtual environment of all images with this fingerprint."""
        return self.app(app) / "venvs" / fingerprint

    def complete(self, app: str, fingerprint: str) -> Path:
        """The file that says that a virtual environment is whole."""
        return self.app(app) / "venvs" / f"{fingerprint}.json"

    def work(self, app: str) -> Path:
        """What builds of an app may write: in a jail it stands in the place of `venvs`."""
        return self.app(app) / "work"

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
