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
_HOOK = "kurama.pth"


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


def hook_step(venv: Path, library: Path) -> Step:
    """What makes the Python of `venv` find the library and run its hook when it starts.

    A step of the build, in its jail: by then the environment is the app's, links and all.
    """
    write = (
        "import pathlib, sys, sysconfig\n"
        f"pathlib.Path(sysconfig.get_path('purelib'), '{_HOOK}').write_text(sys.argv[1])"
    )
    text = f"{library}\nimport flask_kurama.auto\n"
    return Step((str(venv / "bin" / "python"), "-I", "-c", write, text), "")


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
