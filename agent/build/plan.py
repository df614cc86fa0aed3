"""The build plan: everything a builder must know, decided by reading the tree and nothing else.

One plan serves every builder: the sandbox runs its steps in a jail, a Dockerfile can be written
from it. What must not live here: reading files (`detect`), running anything (a builder).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Where the tree stands while it is built and while it runs, in every runtime.
APP_DIR = "/app"

# In a step's arguments and in the plan's files: the folder that holds those files, and the tree's.
SCRATCH = "{scratch}"
TREE = "{tree}"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the build, run with the application's tree as its working directory.

    `argv` is an argument list whose first word is a tool that the builder provides (`uv`); SCRATCH
    and TREE in it are replaced. `title` is said before it runs, or nothing where it is empty. The
    builder has already made the virtual environment and selected it.
    """

    argv: tuple[str, ...]
    title: str


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What to install, with which Python, and what to run afterwards.

    `python`: the path of an interpreter on this worker. `python_version`: "3.11.7".
    `source`: the file that decides the dependencies ("uv.lock").
    `steps`: run in order, only when the fingerprint is new. `fingerprint`: a hex digest over all
    that decides what the steps install: two trees with one fingerprint share an environment.
    `files`: name to text of what is put into SCRATCH before the steps.
    `processes`: process kind to shell command, always with `web`. `release_command`: run before
    the switch, or None. `pythonpath`: folders relative to the tree that hold its modules.
    `notes`: sentences for the person who pushes (which lockfile was taken, and why).
    """

    python: str
    python_version: str
    source: str
    steps: tuple[Step, ...]
    fingerprint: str
    processes: Mapping[str, str]
    release_command: str | None = None
    pythonpath: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
