"""Which Python the tree asks for, and which of the worker's it gets."""

import configparser
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.build import formats
from agent.build.constraints import InvalidConstraint, Versions, poetry, standard
from agent.build.formats import Manifest, Pipfile, UvLock
from agent.build.pythons import Interpreter
from agent.build.tree import Tree, refuse

# "3", "3.12", "3.12.4", "3.12.x", "3.12-dev"; "python-", "cpython@" and the like may stand before
# it, and uv's names go on with the platform. Of what pyenv calls "-dev" the release is taken.
_NAMED = re.compile(
    r"(?:c?python[-@]?)?v?(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,3}|[xX*]))?"
    r"(?:[-+](?:dev|linux|macos|windows)\S*)?"
)
_OTHERS = re.compile(r"(pypy|graalpy|jython|ironpython|stackless|micropython|(?:mini|ana)conda)\S*")


@dataclass(frozen=True, slots=True)
class Wish:
    """What one file says, at `place`. `exact`: a patch version, (3, 12, 4), was named."""

    place: str
    said: str
    allowed: Versions
    exact: tuple[int, ...] = ()

    def allows(self, python: Interpreter) -> bool:
        """Whether the interpreter is what was asked for."""
        return python.text in self.allowed

    def nearly_allows(self, python: Interpreter) -> bool:
        """Whether it is, but for a patch version that was named."""
        return self.allows(python) or (
            bool(self.exact) and python.version[:2] == tuple(self.exact[:2])
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """The interpreter that the tree gets, and a sentence where it isn't quite what was asked."""

    interpreter: Interpreter
    note: str = ""


def choose(tree: Tree, pythons: Sequence[Interpreter], manifest: Manifest | None) -> Chosen:
    """The first of `pythons` (one at least) that every file of the tree allows; Fault where none.

    A patch version that isn't there gives way to another of the same minor version.
    """
    wishes = list(_wishes(tree, manifest))
    fitting = [one for one in pythons if all(wish.allows(one) for wish in wishes)]
    if fitting:
        return Chosen(fitting[0])
    near = [one for one in pythons if all(wish.nearly_allows(one) for wish in wishes)]
    if not near:
        raise _none_fits(wishes, pythons)
    exact = next(wish for wish in wishes if not wish.allows(near[0]))
    return Chosen(
        near[0], f"{exact.place} asks for Python {exact.said}; this worker has {near[0].text}."
    )


def _none_fits(wishes: Sequence[Wish], pythons: Sequence[Interpreter]) -> Exception:
    installed = ", ".join(one.text for one in pythons)
    asked = " and ".join(f"{wish.place} asks for Python {wish.said}" for wish in wishes)
    alone = [any(wish.allows(one) for one in pythons) for wish in wishes]
    if all(alone):
        return refuse(
            f"{asked}: no Python here is both", f"This worker has {installed}. Make them agree."
        )
    wish = wishes[alone.index(False)]
    return refuse(
        f"{asked}, which this worker hasn't got",
        f"It has {installed}. {_change(wish, pythons[0])}, or install that Python there.",
    )


def _change(wish: Wish, python: Interpreter) -> str:
    """What to write so that `python` would be right."""
    version = ".".join(python.text.split(".")[:2])
    if wish.place == "uv.lock":
        return f"Write >={version}, say, into pyproject.toml's requires-python, and run `uv lock`"
    file = wish.place.partition(",")[0]
    return f"Write {'>=' if file.endswith(('.toml', '.cfg')) else ''}{version}, say, into {file}"


def _wishes(tree: Tree, manifest: Manifest | None) -> Iterator[Wish]:
    for file in (".python-version", "runtime.txt"):
        if tree.has(file):
            yield from _first_line(file, tree.text(file))
    if manifest is not None:
        yield from _of_manifest(manifest)
    if tree.has("setup.cfg"):
        yield from _of_setup_cfg(tree.text("setup.cfg"))
    if tree.has("uv.lock"):
        locked = formats.read(UvLock, tree.toml("uv.lock"), "uv.lock").requires_python
        if locked is not None and not _same(locked, manifest):
            yield _specified("uv.lock", locked)
    if tree.has("Pipfile"):
        requires = formats.read(Pipfile, tree.toml("Pipfile"), "Pipfile").requires
        said = requires.python_full_version or requires.python_version
        if said:
            yield from _named("Pipfile", said)


def _of_manifest(manifest: Manifest) -> Iterator[Wish]:
    if manifest.project and manifest.project.requires_python is not None:
        yield _specified("pyproject.toml", manifest.project.requires_python)
    if manifest.tool.poetry:
        for wish in formats.wishes(manifest.tool.poetry.dependencies.get("python", [])):
            yield _of_poetry("pyproject.toml", wish.version)


def _of_setup_cfg(text: str) -> Iterator[Wish]:
    """[options] python_requires; setuptools itself will say what is wrong with the file."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
        said = parser.get("options", "python_requires", fallback="")
    except configparser.Error:
        return
    if said.strip():
        yield _specified("setup.cfg", said.strip())


def _same(locked: str, manifest: Manifest | None) -> bool:
    """Whether a lock repeats what the manifest says."""
    said = manifest.project.requires_python if manifest and manifest.project else None
    try:
        return said is not None and standard(said) == standard(locked)
    except InvalidConstraint:
        return False


def _first_line(file: str, text: str) -> Iterator[Wish]:
    """A file whose first line that says anything names a version; pyenv has others below it."""
    for number, line in enumerate(text.splitlines(), 1):
        said = line.partition("#")[0].strip()
        if said:
            yield from _named(f"{file}, line {number}", said)
            return


def _named(place: str, said: str) -> Iterator[Wish]:
    """The wish for a named version; none for "system", which is whatever there is."""
    if said in ("system", "*"):
        return
    match = _NAMED.fullmatch(said)
    if match is None:
        yield _specified_or_refused(place, said)
        return
    numbers = tuple(int(part) for part in match.groups() if part and part.isdigit())
    version = ".".join(map(str, numbers))
    exact = numbers if len(numbers) == 3 else ()
    specifiers = standard(f"=={version}" if exact else f"=={version}.*")
    yield Wish(place, version, Versions(specifiers), exact)


def _specified_or_refused(place: str, said: str) -> Wish:
    """uv takes specifiers in .python-version too."""
    if _OTHERS.match(said.lower()):
        raise refuse(
            f"{place}: {said[:40]!r} is not CPython, which is what Kurama runs apps with",
            "Write 3.12, say.",
        )
    try:
        return Wish(place, said[:80], Versions(standard(said)))
    except InvalidConstraint:
        raise refuse(f"{place}: {said[:40]!r} is no Python version", "Write 3.12, say.") from None


def _specified(file: str, said: str) -> Wish:
    try:
        return Wish(file, said[:80], Versions(standard(said)))
    except InvalidConstraint:
        raise refuse(
            f"{file}: {said[:80]!r} doesn't say which Pythons", "Write >=3.11, say."
        ) from None


def _of_poetry(file: str, said: str) -> Wish:
    """Poetry would take 3.11 for 3.11.0 alone, which nobody means."""
    version = f"{said.strip()}.*" if re.fullmatch(r"\s*\d+(\.\d+)?\s*", said) else said
    try:
        return Wish(file, said[:80], poetry(version))
    except InvalidConstraint:
        raise refuse(
            f"{file}: {said[:80]!r} doesn't say which Pythons", "Write ^3.11, say."
        ) from None
