"""flask_kurama in images: a read-only copy of the library, put on the path of each build's Python.

The copy is named by its content, so that an image goes on using the one it was built with.
"""

import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path

from agent.build.plan import Step
from agent.faults import Fault, FaultCode
from agent.sandbox.layout import Layout

_PACKAGE = "flask_kurama"
_INSTALL = """for site in "$VIRTUAL_ENV"/lib/python*/site-packages; do
    printf %s "$1" > "$site/kurama.pth"
done"""


class Library:
    """The copy of the library that this worker gives to new images."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._source = _find()
        self._digest = _digest(self._source)

    def path(self) -> Path:
        """The folder to put on a Python's path; made when it isn't there."""
        folder = self._layout.home / "lib" / self._digest
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                copy = Path(scratch) / "copy"
                ignored = shutil.ignore_patterns("__pycache__", "*.toml", "*.md")
                shutil.copytree(self._source, copy / _PACKAGE, ignore=ignored)
                for path in (copy, *copy.rglob("*")):
                    path.chmod(0o755 if path.is_dir() else 0o644)
                copy.rename(folder)
        return folder

    def stamped(self, fingerprint: str) -> str:
        """A virtual environment's name: what was installed, and with which library."""
        return hashlib.sha256(f"{fingerprint} {self._digest}".encode()).hexdigest()[:16]

    def step(self, library: Path) -> Step:
        """Make the Python of $VIRTUAL_ENV find the library and run its hook when it starts.

        It is a step of the build: whose files are the app's only the app may write, since what
        looks like site-packages may be a link to anywhere.
        """
        return Step(("sh", "-c", _INSTALL, "sh", f"{library}\nimport flask_kurama.auto\n"), "")


def _find() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise Fault(FaultCode.INTERNAL, "flask_kurama is not installed beside the agent")
    return Path(spec.origin).parent


def _digest(folder: Path) -> str:
    sha = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        sha.update(f"{path.relative_to(folder)}\0".encode())
        sha.update(path.read_bytes())
    return sha.hexdigest()[:16]
