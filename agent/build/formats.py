"""What the files of Python's packaging tools look like, as far as Kurama reads them.

Shapes only, and how they are read. What follows from their content is decided elsewhere.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import field

from agent.build.tree import Tree, refuse

S = TypeVar("S", bound="Shape")


class Shape(msgspec.Struct, frozen=True, rename="kebab"):
    """A table, whose unknown keys are nobody's affair."""


def read(shape: type[S], content: object, file: str) -> S:
    """`content` as a `shape`; Fault with the place in `file` where it isn't one."""
    try:
        return msgspec.convert(content, shape)
    except msgspec.ValidationError as error:
        said = str(error).replace("`$.", "`").replace("Object", "A table")
        said = said.replace("`object`", "`table`")
        raise refuse(f"{file}: {said}", "Mend it, or have its tool write the file anew.") from None


class Wish(Shape, frozen=True):
    """A dependency as Poetry writes it: a constraint on versions, and when it holds."""

    version: str = "*"
    extras: list[str] = []
    markers: str | None = None
    python: str | None = None
    optional: bool = False


Said = str | Wish | list[str | Wish]
"""Poetry writes a dependency as a constraint, as a table, or as a list of alternatives."""


def wishes(said: Said) -> list[Wish]:
    """The alternatives of a dependency."""
    alternatives = said if isinstance(said, list) else [said]
    return [Wish(version=one) if isinstance(one, str) else one for one in alternatives]


class Project(Shape, frozen=True):
    """[project], see packaging.python.org."""

    name: str = ""
    dependencies: list[str] = []
    dynamic: list[str] = []
    requires_python: str | None = None


class Poetry(Shape, frozen=True):
    """[tool.poetry]."""

    name: str = ""
    package_mode: bool = True
    packages: list[Any] | None = None
    dependencies: dict[str, Said] = {}


class Uv(Shape, frozen=True):
    """[tool.uv]."""

    package: bool | None = None
    sources: dict[str, Any] = {}


class Setuptools(Shape, frozen=True):
    """[tool.setuptools]."""

    dynamic: dict[str, Any] = {}


class Tools(Shape, frozen=True):
    """[tool]."""

    poetry: Poetry | None = None
    uv: Uv = field(default_factory=Uv)
    setuptools: Setuptools = field(default_factory=Setuptools)


class Manifest(Shape, frozen=True):
    """pyproject.toml."""

    project: Project | None = None
    build_system: dict[str, Any] | None = None
    tool: Tools = field(default_factory=Tools)


class UvSource(Shape, frozen=True):
    """Where uv takes a package from: one of these, or else an index or a repository."""

    editable: str | None = None
    virtual: str | None = None
    directory: str | None = None
    path: str | None = None


class UvWish(UvSource, frozen=True, kw_only=True):
    """A dependency as uv.lock remembers it from pyproject.toml."""

    name: str
    extras: list[str] = []
    specifier: str = ""
    marker: str = ""


class UvMetadata(Shape, frozen=True):
    """What the project said when it was locked."""

    requires_dist: list[UvWish] = []


class UvPackage(Shape, frozen=True):
    """One package of uv.lock."""

    name: str
    source: UvSource = field(default_factory=UvSource)
    metadata: UvMetadata = field(default_factory=UvMetadata)


class UvLock(Shape, frozen=True):
    """uv.lock."""

    requires_python: str | None = None
    package: list[UvPackage] = []


class PoetryFile(Shape, frozen=True):
    """One file of a package."""

    hash: str


class PoetrySource(Shape, frozen=True):
    """Where Poetry takes a package from, if not from the usual index."""

    type: str = ""
    url: str = ""
    reference: str | None = None
    resolved_reference: str | None = field(default=None, name="resolved_reference")
    subdirectory: str | None = None


class PoetryPackage(Shape, frozen=True):
    """One package of poetry.lock; `groups` only since format 2.1, which settles everything."""

    name: str
    version: str
    python_versions: str = "*"
    groups: list[str] | None = None
    markers: str | dict[str, str] | None = None
    dependencies: dict[str, Said] = {}
    extras: dict[str, list[str]] = {}
    source: PoetrySource = field(default_factory=PoetrySource)
    develop: bool = False
    files: list[PoetryFile] = []


class PoetryMetadata(Shape, frozen=True):
    """[metadata]; the first formats keep the files apart from the packages, here."""

    files: dict[str, list[PoetryFile]] = {}


class PoetryLock(Shape, frozen=True):
    """poetry.lock."""

    package: list[PoetryPackage]
    metadata: PoetryMetadata = field(default_factory=PoetryMetadata)


class PipfileEntry(Shape, frozen=True):
    """One package of Pipfile.lock."""

    version: str = ""
    hashes: list[str] = []
    markers: str = ""
    extras: list[str] = []
    editable: bool = False
    path: str | None = None
    file: str | None = None
    git: str | None = None
    ref: str | None = None
    subdirectory: str | None = None
    # What pipenv knows beside git.
    hg: str | None = None
    svn: str | None = None
    bzr: str | None = None


class PipfileHash(Shape, frozen=True):
    """Of the Pipfile."""

    sha256: str | None = None


class PipfileIndex(Shape, frozen=True):
    """Where packages come from."""

    name: str
    url: str


class PipfileMeta(Shape, frozen=True):
    """What the lock was made of."""

    hash: PipfileHash = field(default_factory=PipfileHash)
    sources: list[PipfileIndex] = []


class PipfileLock(Shape, frozen=True, kw_only=True):
    """Pipfile.lock."""

    meta: PipfileMeta = field(default_factory=PipfileMeta, name="_meta")
    default: dict[str, PipfileEntry]


class PipfileRequires(Shape, frozen=True):
    """[requires], with its keys as they are written."""

    python_version: str | None = field(default=None, name="python_version")
    python_full_version: str | None = field(default=None, name="python_full_version")


class Pipfile(Shape, frozen=True):
    """Pipfile."""

    packages: dict[str, Any] = {}
    requires: PipfileRequires = field(default_factory=PipfileRequires)


def one_line(text: str, file: str) -> str:
    """`text` if it is a single line, as a list of requirements needs it; Fault if it isn't."""
    if not text.isprintable():
        raise refuse(
            f"{file}: {text[:80]!r} has a line break or the like in it",
            "Have its tool write it anew.",
        )
    return text


def manifest(tree: Tree, folder: str = "") -> Manifest | None:
    """The pyproject.toml of a folder, or None where it has none."""
    name = f"{folder}/pyproject.toml" if folder else "pyproject.toml"
    return read(Manifest, tree.toml(name), name) if tree.has(name) else None
