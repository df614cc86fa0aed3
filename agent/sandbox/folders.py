"""Removing folders whose content is an app's, or the kernel's: any mode is met in them."""

import contextlib
import os
import shutil
from pathlib import Path


def remove(folder: Path) -> None:
    """Delete `folder` as far as possible; what isn't there, or isn't ours, doesn't matter.

    An overlay leaves a folder that nobody may open, and an app can make as many as it likes; to
    anyone but root they are closed until their owner opens them.
    """
    if folder.is_symlink() or folder.is_file():
        folder.unlink(missing_ok=True)
        return
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists() and os.geteuid() != 0:
        _open(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _open(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.chmod(0o700)
    for parent, inner, _files in os.walk(folder):
        for name in inner:
            path = Path(parent, name)
            with contextlib.suppress(OSError):
                if not path.is_symlink():
                    path.chmod(0o700)
