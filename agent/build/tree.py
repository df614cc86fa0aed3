"""The pushed tree, read safely: never out of it, never more than can be meant."""

import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.faults import Fault, FaultCode

# No file that decides a build is larger.
_MOST_BYTES = 5 * 1024 * 1024
# Folders that hold nothing of the application's own.
_SKIPPED = frozenset(
    "__pycache__ build dist docs env migrations node_modules site-packages test tests venv".split()
)
_CONFLICT = "<<<<<<< "


def refuse(message: str, hint: str) -> Fault:
    """The fault of a tree that can't be built: what was found, and what to write where."""
    return Fault(FaultCode.PREFLIGHT_FAILED, message, hint)


class Tree:
    """A folder of files. Names are relative to it, with slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def has(self, name: str) -> bool:
        """Whether there is a file of that name within the tree."""
        path = self._inside(name)
        return path is not None and path.is_file()

    def has_folder(self, name: str) -> bool:
        """Whether there is a folder of that name within the tree."""
        path = self._inside(name)
        return path is not None and path.is_dir()

    def names(self) -> list[str]:
        """What stands at the top, by name."""
        return sorted(path.name for path in self.root.iterdir())

    def raw(self, name: str) -> bytes:
        """A file's bytes; Fault where it is too large. The file must be there."""
        path = self._inside(name)
        if path is None or not path.is_file():
            raise refuse(f"{name} is not a file of this repository", "Commit it, or take it out.")
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise refuse(f"{name} has {size:,} bytes", "No such file is that large: shorten it.")
        return path.read_bytes()

    def text(self, name: str) -> str:
        """A file's text; Fault where it isn't UTF-8, or holds a merge conflict."""
        raw = self.raw(name)
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise refuse(
                f"{name} is UTF-16, as PowerShell's `>` writes it",
                f"Write it as UTF-8: pip freeze | Out-File -Encoding utf8 {name}",
            )
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise refuse(f"{name}, line {line}: this is not UTF-8", "Save it as UTF-8.") from None
        for number, line_text in enumerate(text.splitlines(), 1):
            if line_text.startswith(_CONFLICT):
                raise refuse(f"{name}, line {number}: a merge conflict", "Resolve and commit it.")
        return text

    def toml(self, name: str) -> dict[str, Any]:
        """A TOML file's content; Fault, with the place, where it isn't TOML."""
        try:
            return tomllib.loads(self.text(name))
        except tomllib.TOMLDecodeError as error:
            raise refuse(f"{name}: {error}", "It must be TOML: mend that line.") from None

    def source(self, name: str) -> str | None:
        """A Python file's text in its own encoding, or None where it can't be read as that."""
        path = self._inside(name)
        if path is None or not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return None
        try:
            with tokenize.open(path) as file:
                return file.read()
        except (SyntaxError, UnicodeDecodeError, OSError):
            return None

    def modules(self, folder: str) -> list[str]:
        """The names of Python files right in `folder` ("" is the top), without `.py`."""
        path = self._inside(folder or ".")
        if path is None or not path.is_dir():
            return []
        return sorted(file.stem for file in path.glob("*.py") if file.is_file())

    def packages(self, folder: str) -> list[str]:
        """The names of folders in `folder` that are Python packages of the application."""
        path = self._inside(folder or ".")
        if path is None or not path.is_dir():
            return []
        return sorted(
            inner.name
            for inner in path.iterdir()
            if (inner / "__init__.py").is_file()
            and inner.name not in _SKIPPED
            and not inner.name.startswith((".", "_"))
        )

    def virtual_environments(self) -> Iterator[str]:
        """Folders that are virtual environments, to the second level."""
        for pattern in ("*/pyvenv.cfg", "*/*/pyvenv.cfg"):
            for path in sorted(self.root.glob(pattern)):
                yield str(path.parent.relative_to(self.root))

    def has_python(self) -> bool:
        """Whether there is any Python file at all."""
        return next(self.root.rglob("*.py"), None) is not None

    def _inside(self, name: str) -> Path | None:
        """The path of `name` if it is within the tree, links followed; else None."""
        try:
            path = (self.root / name).resolve()
        except (OSError, RuntimeError, ValueError):
            return None
        return path if path.is_relative_to(self.root) else None
