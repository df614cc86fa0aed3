"""The embedded Caddy: started empty, told by the interface what to route."""

import json
from pathlib import Path

from server.engines import binaries
from server.router.configuration import admin_socket
from server.settings import Settings


class EmbeddedCaddy:
    """Where Caddy keeps its state and how it is started."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.home / "caddy"
        self._socket = admin_socket(settings)

    @property
    def environment(self) -> dict[str, str]:
        """What tells Caddy where its state is."""
        return {"XDG_CONFIG_HOME": str(self._folder), "XDG_DATA_HOME": str(self._folder)}

    def argv(self) -> list[str]:
        """What starts it in the foreground, with the configuration that it ran last.

        After a crash its routes are there again at once, without anybody's help.
        """
        return [str(binaries.caddy()), "run", "--config", str(self._base), "--resume"]

    def prepare(self) -> None:
        """Write the configuration to start with, and forget the one of an earlier `kurama up`."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / "caddy" / "autosave.json").unlink(missing_ok=True)
        self._socket.unlink(missing_ok=True)
        base = {"admin": {"listen": f"unix/{self._socket}|0600"}}
        self._base.write_text(json.dumps(base))

    @property
    def _base(self) -> Path:
        return self._folder / "base.json"
