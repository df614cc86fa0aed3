"""The user id of each app, where Kurama is run by root; nobody's but Kurama's own where it isn't.

The group of an app's folder is the record of it: no table can disagree with the files. Its owner
stays root: an app that owned it could put links in the place of what we read and write there.
"""

import os
from pathlib import Path

from agent.sandbox.layout import Layout


class Identities:
    """Gives each app a user id, `first_uid` being PostgreSQL's and the ones behind it the apps'."""

    def __init__(self, layout: Layout, first_uid: int) -> None:
        self._layout = layout
        self._first_uid = first_uid
        self._separate = os.geteuid() == 0

    def uid(self, app: str) -> int | None:
        """The app's user id, made with its folder if need be; None where all share Kurama's own.

        The caller holds the layout's lock.
        """
        folder = self._layout.app(app)
        if not self._separate:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return None
        if not folder.exists():
            taken = {path.stat().st_gid for path in folder.parent.iterdir()}
            uid = next(
                n for n in range(self._first_uid + 1, self._first_uid + 10_000) if n not in taken
            )
            folder.mkdir(mode=0o700)
            os.chown(folder, 0, uid)
        return folder.stat().st_gid

    def give(self, uid: int | None, *paths: Path) -> None:
        """Make `paths`, with all that is in them, the app's own."""
        if uid is None:
            return
        for path in paths:
            os.chown(path, uid, uid, follow_symlinks=False)
            for folder, folders, files in os.walk(path):
                for name in (*folders, *files):
                    os.chown(Path(folder) / name, uid, uid, follow_symlinks=False)
