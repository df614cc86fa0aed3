"""The platform's own secrets: made on first use, kept in files that only the operator can read."""

import secrets
from pathlib import Path

_BYTES = 32


class Credentials:
    """Secrets between Kurama's own parts, by name, under `home`/secrets."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "secrets"

    @property
    def bus_password(self) -> str:
        """What the services show to the embedded bus."""
        return self._get("bus")

    @property
    def ingest_token(self) -> str:
        """What the collector, and an operator's own sources, show to ingest."""
        return self._get("ingest")

    def _get(self, name: str) -> str:
        path = self._folder / name
        if not path.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self._folder / f"{name}.{secrets.token_hex(4)}"
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(_BYTES))
            # Of two that make it at once the first wins: a link never replaces.
            try:
                path.hardlink_to(fresh)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text().strip()
