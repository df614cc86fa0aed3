"""The pushed tree, read safely: never out of it, never more than can be meant."""

import json
import os
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.faults import Fault, FaultCode

# No file that decides a build is larger.
_MOST_BYTES = 5 * 1024 * 1024
# No module that people write is: reading one takes a hundred times its size in memory.
_MOST_MODULE_BYTES = 200 * 1024
_MOST_MESSAGE = 2000
# A dotted key of TOML: tomllib takes the square of the number of its parts.
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){50}""")
# Folders that hold nothing of the application's own.
_SKIPPED = frozenset(
    "__pycache__ alembic bench benchmarks build dist doc docs env example examples migrations "
    "node_modules site-packages test tests venv".split()
)
# Of a folder that is installed, what decides nothing of it.
_NO_SOURCES = frozenset((".git", "__pycache__", "node_modules"))
_CONFLICT = "<<<<<<< "


def refuse(message: str, hint: str) -> Fault:
    """The fault of a tree that can't be built: what was found, and what to write where."""
    return Fault(FaultCode.PREFLIGHT_FAILED, _printable(message), _printable(hint))


class Tree:
    """A folder of files. Names are relative to it, with slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._parsed: dict[str, dict[str, Any]] = {}

    def has(self, name: str) -> bool:
        """Whether there is a file of that name within the tree."""
        path = self._inside(name)
        return path is not None and os.path.isfile(path)  # noqa: PTH113 - never raises

    def has_folder(self, name: str) -> bool:
        """Whether there is a folder of that name within the tree."""
        path = self._inside(name)
        return path is not None and os.path.isdir(path)  # noqa: PTH112 - never raises

    def names(self, folder: str = "") -> list[str]:
        """What stands right in a folder, by name; nothing where there is no such folder."""
        path = self._inside(folder or ".")
        if path is None or not self.has_folder(folder or "."):
            return []
        return sorted(inner.name for inner in path.iterdir())

    def raw(self, name: str) -> bytes:
        """A file's bytes; Fault where it is too large, or not a file of the tree."""
        path = self._inside(name)
        if path is None or not self.has(name):
            raise refuse(f"{name} is not a file of this repository", "Commit it, or take it out.")
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise refuse(f"{name} has {size:,} bytes", "No such file is that large: shorten it.")
        return path.read_bytes()

    def text(self, name: str) -> str:
        """A file's text; Fault where it isn't UTF-8, or holds a NUL or a merge conflict."""
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
        if "\0" in text:
            line = text[: text.index("\0")].count("\n") + 1
            raise refuse(f"{name}, line {line}: a NUL character", "Take it out.")
        for number, line_text in enumerate(text.splitlines(), 1):
            if line_text.startswith(_CONFLICT):
                raise refuse(f"{name}, line {number}: a merge conflict", "Resolve and commit it.")
        return text

    def toml(self, name: str) -> dict[str, Any]:
        """A TOML file's content, read once; Fault, with the place, where it isn't TOML."""
        if name not in self._parsed:
            text = self.text(name)
            if _LONG_KEY.search(text):
                raise refuse(f"{name} nests too deeply", "It must be TOML.")
            try:
                self._parsed[name] = tomllib.loads(text)
            except ValueError as error:
                raise refuse(f"{name}: {error}", "It must be TOML: mend that line.") from None
            except RecursionError:
                raise refuse(f"{name} nests too deeply", "It must be TOML.") from None
        return self._parsed[name]

    def json(self, name: str) -> Any:
        """A JSON file's content; Fault, with the place, where it isn't JSON."""
        try:
            content = json.loads(self.text(name))
            # "\ud800" is half a character, which nothing after this can write.
            json.dumps(content, ensure_ascii=False).encode()
        except ValueError as error:
            raise refuse(f"{name}: {error}", "It must be JSON: mend that line.") from None
        except RecursionError:
            raise refuse(f"{name} nests too deeply", "It must be JSON.") from None
        return content

    def source(self, name: str) -> str | None:
        """A Python file's text in its own encoding, or None where it can't be read as that."""
        path = self._inside(name)
        if path is None or not self.has(name) or path.stat().st_size > _MOST_MODULE_BYTES:
            return None
        try:
            with tokenize.open(path) as file:
                return file.read()
        except (SyntaxError, UnicodeDecodeError, LookupError, OSError):
            return None

    def modules(self) -> list[str]:
        """The Python files of the application's own, in any folder, those at the top first."""
        found: list[str] = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [
                name for name in folders if name not in _SKIPPED and not name.startswith((".", "_"))
            ]
            inner = Path(folder).relative_to(self.root)
            found += [(inner / name).as_posix() for name in files if name.endswith(".py")]
        found.sort(key=lambda name: (name.count("/"), name))
        return [name for name in found if self.has(name)]

    def files(self, name: str) -> list[str]:
        """The file `name`, or every file below the folder `name`, in order.

        Links to files of the tree count as files; links to folders are not followed.
        """
        if self.has(name):
            return [name]
        found: list[str] = []
        for folder, folders, files in os.walk(self.root / name):
            folders[:] = [inner for inner in folders if inner not in _NO_SOURCES]
            inside = Path(folder).relative_to(self.root)
            found += [(inside / file).as_posix() for file in files]
        return sorted(name for name in found if self.has(name))

    def virtual_environments(self) -> Iterator[str]:
        """Folders that are virtual environments, to the second level; "." is the tree itself."""
        for pattern in ("pyvenv.cfg", "*/pyvenv.cfg", "*/*/pyvenv.cfg"):
            for path in sorted(self.root.glob(pattern)):
                yield str(path.parent.relative_to(self.root))

    def has_python(self) -> bool:
        """Whether there is any Python file at all."""
        return any(path.is_file() for path in self.root.rglob("*.py"))

    def _inside(self, name: str) -> Path | None:
        """The path of `name` if it is within the tree, links followed; else None."""
        try:
            path = (self.root / name).resolve()
        except (OSError, RuntimeError, ValueError):
            return None
        return path if path.is_relative_to(self.root) else None


def _printable(text: str) -> str:
    """Text that quotes a tree can hold anything: terminal escapes, NUL, half a character."""
    if len(text) > _MOST_MESSAGE:
        text = text[:_MOST_MESSAGE] + " …"
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)
