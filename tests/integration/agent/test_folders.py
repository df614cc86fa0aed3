"""Folders that their owner has closed are removed all the same."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.sandbox import folders

_NOBODY = 65534


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may open every folder: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_closed_folders_are_removed() -> None:
    """As an overlay leaves one behind, with another in it, and a link out that is left alone."""
    with ordinary_user(), tempfile.TemporaryDirectory() as name:
        outside = Path(name, "outside")
        outside.mkdir()
        outside.chmod(0o500)
        work = Path(name, "replica", "work")
        (work / "deep" / "deeper").mkdir(parents=True)
        (work / "deep" / "deeper" / "file").touch()
        (work / "link").symlink_to(outside)
        for closed in (work / "deep" / "deeper", work / "deep", work):
            closed.chmod(0)
        folders.remove(work.parent)
        assert not work.parent.exists()
        assert outside.stat().st_mode & 0o777 == 0o500


def test_a_link_in_the_place_of_a_folder_is_only_a_link() -> None:
    """What it leads to stays, with the mode that it has."""
    with ordinary_user(), tempfile.TemporaryDirectory() as name:
        outside = Path(name, "outside")
        outside.mkdir()
        outside.chmod(0o500)
        Path(name, "link").symlink_to(outside)
        folders.remove(Path(name, "link"))
        assert not Path(name, "link").is_symlink()
        assert outside.stat().st_mode & 0o777 == 0o500


def test_what_is_not_there_needs_no_removing() -> None:
    """A second removal does nothing."""
    folders.remove(Path("nowhere/at/all"))
