"""What the files of Python's packaging tools look like, as far as Kurama reads them.

Shapes only, and how they are read. What follows from their content is decided elsewhere.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from agent.build.tree import Tree, refuse

S = TypeVar("S", bound="Shape")
# What pydantic calls them, and what the files' own words are.
_SAID = {
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "dict_type": "should be a table",
    "list_type": "should be a list",
    "missing": "is missing",
    "model_type": "should be a table",
    "string_type": "should be a text",
}


class Shape(BaseModel):
    """A table, whose unknown keys are nobody's affair."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=lambda name: name.replace("_", "-"),
        populate_by_name=True,
    )


def read(shape: type[S], content: object, file: str) -> S:
    """`content` as a `shape`; Fault with the place in `file` where it isn't one."""
    try:
        return shape.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        said = _SAID.get(first["type"], first["msg"])
        message = f"{file}: {place} {said}" if place else f"{file} {said}"
        raise refuse(message, "Mend it, or have its tool write the file anew.") from None


def _wishes(value: object) -> object:
    """Poetry writes a dependency as a text, a table, or a list of tables."""
    values = value if isinstance(value, list) else [value]
    return [{"version": one} if isinstance(one, str) else one for one in values]


class Wish(Shape):
    """A dependency as Poetry writes it: a constraint on versions, and when it holds."""

    version: str = "*"
    extras: list[str] = []
    markers: str | None = None
    python: str | None = None
    optional: bool = False


Wishes = Annotated[list[Wish], BeforeValidator(_wishes)]


class Project(Shape):
    """[project], see packaging.python.org."""

    name: str = ""
    dependencies: list[str] = []
    dynamic: list[str] = []
    requires_python: str | None = None


class Poetry(Shape):
    """[tool.poetry]."""

    name: str = ""
    package_mode: bool = True
    packages: list[Any] | None = None
    dependencies: dict[str, Wishes] = {}


class Uv(Shape):
    """[tool.uv]."""

    package: bool | None = None
    sources: dict[str, Any] = {}


class Setuptools(Shape):
    """[tool.setuptools]."""

    dynamic: dict[str, Any] = {}


class Tools(Shape):
    """[tool]."""

    poetry: Poetry | None = None
    uv: Uv = Uv()
    setuptools: Setuptools = Setuptools()


class Manifest(Shape):
    """pyproject.toml."""

    project: Project | None = None
    build_system: dict[str, Any] | None = None
    tool: Tools = Tools()


class UvSource(Shape):
    """Where uv takes a package from: one of these, or else an index or a repository."""

    editable: str | None = None
    virtual: str | None = None
    directory: str | None = None
    path: str | None = None


class UvWish(Shape):
    """A dependency as uv.lock remembers it from pyproject.toml."""

    name: str
    specifier: str = ""
    marker: str = ""


class UvMetadata(Shape):
    """What the project said when it was locked."""

    requires_dist: list[UvWish] = []


class UvPackage(Shape):
    """One package of uv.lock."""

    name: str
    source: UvSource = UvSource()
    metadata: UvMetadata = UvMetadata()


class UvLock(Shape):
    """uv.lock."""

    requires_python: str | None = None
    package: list[UvPackage] = []


class PoetryFile(Shape):
    """One file of a package."""

    hash: str


class PoetrySource(Shape):
    """Where Poetry takes a package from, if not from the usual index."""

    type: str = ""
    url: str = ""
    reference: str | None = None
    resolved_reference: str | None = Field(default=None, alias="resolved_reference")
    subdirectory: str | None = None


class PoetryPackage(Shape):
    """One package of poetry.lock; `groups` only since format 2.1, which settles everything."""

    name: str
    version: str
    python_versions: str = "*"
    groups: list[str] | None = None
    markers: str | dict[str, str] | None = None
    dependencies: dict[str, Wishes] = {}
    extras: dict[str, list[str]] = {}
    source: PoetrySource = PoetrySource()
    develop: bool = False
    files: list[PoetryFile] = []


class PoetryMetadata(Shape):
    """[metadata]; the first formats keep the files apart from the packages, here."""

    files: dict[str, list[PoetryFile]] = {}


class PoetryLock(Shape):
    """poetry.lock."""

    package: list[PoetryPackage]
    metadata: PoetryMetadata = PoetryMetadata()


class PipfileEntry(Shape):
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


class PipfileHash(Shape):
    """Of the Pipfile."""

    sha256: str | None = None


class PipfileMeta(Shape):
    """What the lock was made of."""

    hash: PipfileHash = PipfileHash()


class PipfileLock(Shape):
    """Pipfile.lock."""

    meta: PipfileMeta = Field(default=PipfileMeta(), alias="_meta")
    default: dict[str, PipfileEntry]


class PipfileRequires(Shape):
    """[requires], with its keys as they are written."""

    python_version: str | None = Field(default=None, alias="python_version")
    python_full_version: str | None = Field(default=None, alias="python_full_version")


class Pipfile(Shape):
    """Pipfile."""

    packages: dict[str, Any] = {}
    requires: PipfileRequires = PipfileRequires()


def one_line(text: str, file: str) -> str:
    """`text` if it is a single line, as a list of requirements needs it; Fault if it isn't."""
    if len(text.splitlines()) != 1:
        raise refuse(
            f"{file}: {text[:80]!r} has a line break in it", "Have its tool write it anew."
        )
    return text


def manifest(tree: Tree, folder: str = "") -> Manifest | None:
    """The pyproject.toml of a folder, or None where it has none."""
    name = f"{folder}/pyproject.toml" if folder else "pyproject.toml"
    return read(Manifest, tree.toml(name), name) if tree.has(name) else None
