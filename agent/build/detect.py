"""From a pushed tree to its build plan. It reads files and decides; it runs nothing of the tree."""

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.build import entrypoint, formats, procfile, python_version, sources
from agent.build.plan import BuildPlan, Step
from agent.build.pythons import Interpreter
from agent.build.source import Source
from agent.build.tree import Tree, refuse
from agent.faults import Fault

# $HOST and $PORT are the platform's; the others can be set in the app's config.
_GUNICORN = (
    'gunicorn --bind "$HOST:$PORT" --worker-class gthread --threads "${{KURAMA_THREADS:-8}}" '
    '--workers "${{WEB_CONCURRENCY:-1}}" --worker-tmp-dir /dev/shm {target}'
)


def plan(
    tree: Path, pythons: Sequence[Interpreter], *, environment: Mapping[str, str] | None = None
) -> BuildPlan:
    """The plan of the tree in the folder `tree`; Fault (PREFLIGHT_FAILED) where it can't be built.

    `pythons` are the worker's, the one that an app gets which asks for none first. `environment` is
    the app's config: its FLASK_APP names the application.
    """
    pushed = Tree(tree)
    _check(pushed)
    manifest = formats.manifest(pushed)
    chosen = python_version.choose(pushed, pythons, manifest)
    source = sources.choose(pushed, manifest, chosen.interpreter)
    run = _processes(pushed, source, environment or {}, chosen.interpreter)
    steps = [*source.steps, _provide(run.processes, source)]
    return BuildPlan(
        python=str(chosen.interpreter.path),
        python_version=chosen.interpreter.text,
        source=source.name,
        steps=tuple(steps),
        fingerprint=sources.fingerprint(pushed, source, steps, chosen.interpreter),
        processes=run.processes,
        release_command=run.release_command,
        pythonpath=run.pythonpath,
        notes=tuple(note for note in (*source.notes, chosen.note, *run.notes) if note),
        files=dict(source.files),
    )


class _Run:
    """What is run, and what is to be said about it."""

    def __init__(
        self,
        processes: Mapping[str, str],
        release_command: str | None = None,
        pythonpath: tuple[str, ...] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self.processes = processes
        self.release_command = release_command
        self.pythonpath = pythonpath
        self.notes = notes


def _check(tree: Tree) -> None:
    """What no app should bring, and what each must."""
    for folder in tree.virtual_environments():
        if folder == ".":
            raise refuse(
                "pyvenv.cfg is there: the repository itself is a virtual environment",
                "Put the app's own files into a repository of their own, without bin/ and lib/.",
            )
        raise refuse(
            f"{folder}/ is a virtual environment: it belongs to one machine, not into git",
            f"git rm -r --cached {shlex.quote(folder)} && "
            f"echo {shlex.quote(folder)}/ >> .gitignore, then commit.",
        )
    if not tree.has_python():
        raise refuse(
            "There is no Python file in this repository",
            "Kurama deploys Python web apps. Was everything added? (git status)",
        )


def _processes(tree: Tree, source: Source, config: Mapping[str, str], python: Interpreter) -> _Run:
    """What the Procfile says, or gunicorn with the app that is found."""
    written = procfile.read(tree)
    if written is None:
        found = entrypoint.find(tree, config, python)
        path = (found.folder,) if found.folder and not source.installs else ()
        web = _GUNICORN.format(target=shlex.quote(found.target))
        return _Run({"web": web}, pythonpath=path, notes=[found.note, *_flask(source)])
    if "web" not in written.processes:
        raise _no_web(tree, config, python)
    path = ("src",) if not source.installs and entrypoint.has_source_folder(tree) else ()
    return _Run(written.processes, written.release_command, path)


def _no_web(tree: Tree, config: Mapping[str, str], python: Interpreter) -> Exception:
    target = "package.module:app"
    with contextlib.suppress(Fault):
        target = shlex.quote(entrypoint.find(tree, config, python).target)
    return refuse(
        "The Procfile has no `web` process, so nothing would answer visitors",
        f'Add to the Procfile:  web: gunicorn --bind "$HOST:$PORT" {target}',
    )


def _flask(source: Source) -> list[str]:
    if source.names is None or any("flask" in name for name in source.names):
        return []
    return [f"{source.name} doesn't name flask: is it meant to?"]


def _provide(processes: Mapping[str, str], source: Source) -> Step:
    """What the platform adds, without changing what the app has chosen."""
    words = ["uv", "pip", "install", "--quiet", "psutil"]
    if any("gunicorn" in command for command in processes.values()):
        words.append("gunicorn")
    return Step(tuple(words), "")
