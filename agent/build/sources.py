"""What decides an app's dependencies: the most exact of the files that it brings."""

import difflib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from agent.build import pipenv, poetry, project, requirements, uv
from agent.build.formats import Manifest
from agent.build.plan import Step
from agent.build.pythons import Interpreter
from agent.build.source import Source
from agent.build.tree import Tree, refuse

_NEAR = ("requirements.txt", "pyproject.toml", "uv.lock", "poetry.lock", "Pipfile.lock", "setup.py")


def choose(tree: Tree, manifest: Manifest | None, python: Interpreter) -> Source:
    """The most exact source of the tree; Fault where it has none, or one that is broken."""
    makers: dict[str, Callable[[], Source]] = {
        uv.FILE: lambda: uv.source(tree, manifest),
        poetry.FILE: lambda: poetry.source(tree, manifest, python),
        pipenv.FILE: lambda: pipenv.source(tree),
        requirements.FILE: lambda: requirements.source(tree),
        "pyproject.toml": lambda: project.of_manifest(tree, manifest or Manifest()),
        "setup.py": lambda: project.of_setup_py(tree),
        "setup.cfg": lambda: project.of_setup_cfg(tree, manifest),
    }
    there = [name for name in makers if tree.has(name) and _decides(tree, name, manifest)]
    if not there:
        raise _nothing(tree)
    source = makers[there[0]]()
    # A project's own description is no second opinion beside a list that was made of it.
    others = [name for name in there[1:] if name not in project.FILES]
    if not others:
        return source
    note = f"{_listed(there[:1] + others)} are there: {there[0]} is the most exact, so it decides."
    return replace(source, notes=(note, *source.notes))


def fingerprint(tree: Tree, source: Source, steps: Iterable[Step], python: Interpreter) -> str:
    """A digest over all that decides what the steps install."""
    sha = hashlib.sha256()

    def add(*words: str | bytes) -> None:
        for word in words:
            raw = word.encode("utf-8", "surrogateescape") if isinstance(word, str) else word
            sha.update(len(raw).to_bytes(8, "big") + raw)

    add(str(python.path), python.text)
    for step in steps:
        add(*step.argv)
    for name, text in sorted(source.files.items()):
        add(name, text)
    for name in dict.fromkeys(source.inputs):
        for file in tree.files(name):
            with (tree.root / file).open("rb") as content:
                add(file, hashlib.file_digest(content, "sha256").digest())
    return sha.hexdigest()


def _decides(tree: Tree, name: str, manifest: Manifest | None) -> bool:
    """Whether a file says anything of dependencies: some only set up tools."""
    if name == "pyproject.toml" and manifest is not None:
        poetry_table = manifest.tool.poetry
        return manifest.project is not None or bool(poetry_table and poetry_table.dependencies)
    return name != "setup.cfg" or project.is_described(tree)


def _nothing(tree: Tree) -> Exception:
    names = tree.names()
    lower = {name.lower(): name for name in names}
    for wanted in _NEAR:
        near = difflib.get_close_matches(wanted.lower(), lower, n=1, cutoff=0.8)
        if near and lower[near[0]] != wanted and tree.has(lower[near[0]]):
            found = lower[near[0]]
            return refuse(
                f"{found} is there, but no {wanted}", f"Is it meant? git mv {found} {wanted}"
            )
    if "Pipfile" in names:
        return refuse("Pipfile is there, but no Pipfile.lock", "Run `pipenv lock`, and commit it.")
    if "environment.yml" in names or "environment.yaml" in names:
        return refuse(
            "environment.yml is conda's, which Kurama doesn't use",
            "List what the app needs in requirements.txt.",
        )
    lists = [name for name in tree.names("requirements") if name.endswith(".txt")]
    if lists:
        found = ", ".join(f"requirements/{name}" for name in lists[:5])
        return refuse(
            f"{found} may say what the app depends on, but there is no requirements.txt",
            f"Write requirements.txt, with the line `-r requirements/{lists[0]}` for one.",
        )
    return refuse(
        "Nothing says what the app depends on: no requirements.txt, uv.lock, poetry.lock, "
        "Pipfile.lock, pyproject.toml or setup.py",
        "Write requirements.txt, with `flask` in it at least.",
    )


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
