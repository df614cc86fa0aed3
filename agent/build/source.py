"""One way to install an app's dependencies: the file that decides, and all that goes with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.build.plan import SCRATCH, Step

# The requirements that are generated from a lockfile, in SCRATCH.
GENERATED = "requirements.txt"
# The project in the tree; its code stays where it is.
EDITABLE_SELF = ("uv", "pip", "install", "--editable", ".")


@dataclass(frozen=True, slots=True)
class Source:
    """The deciding file, how it is installed, and all that decides what that installs.

    `inputs` are files and folders of the tree, `files` what is generated for the steps. `installs`
    says that the project itself is installed; `names` are packages that are known to come, or None
    where that can't be told; `notes` are sentences for the person who pushes.
    """

    name: str
    steps: Sequence[Step]
    inputs: Sequence[str]
    files: Mapping[str, str] = field(default_factory=dict)
    installs: bool = False
    names: frozenset[str] | None = None
    notes: Sequence[str] = ()


def index_lines(urls: Iterable[str]) -> list[str]:
    """The lines that let requirements come from other indexes too than the worker's own."""
    return [f"--extra-index-url {url}" for url in dict.fromkeys(urls) if url.isprintable()]


def install_generated(name: str, indexes: Sequence[str] = (), *, settled: bool = True) -> Step:
    """Install the requirements that were generated from the file `name`.

    What is `settled` names all that its packages need. With several `indexes` a pinned version may
    be in any of them, not only in the first that knows the package.
    """
    options = ["--no-deps"] if settled else []
    options += ["--index-strategy", "unsafe-best-match"] if indexes else []
    argv = ("uv", "pip", "install", *options, "--requirement", f"{SCRATCH}/{GENERATED}")
    return Step(argv, f"Installing what {name} says")
