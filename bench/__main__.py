"""`make bench`: every figure that the docs quote, measured here, each beside its floor.

python -m bench [NAME ...]      commands push switch latency memory library demo
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import commands, demo, flask_kurama_overhead, latency, memory, push, switch
from bench.table import Row, show
from tests.harness import Platform, User, running

_ON_A_PLATFORM: dict[str, Callable[[Platform, User], list[Row]]] = {
    "memory": lambda platform, _user: memory.run(platform),
    "commands": lambda _platform, user: commands.run(user),
    "push": push.run,
    "switch": switch.run,
    "latency": latency.run,
}


def main(names: Sequence[str]) -> int:
    """Measure what is named, or everything."""
    known = [*_ON_A_PLATFORM, "library", "demo"]
    wanted = list(names) or known
    unknown = set(wanted) - set(known)
    if unknown:
        print(f"No such benchmark: {', '.join(sorted(unknown))}. There are: {', '.join(known)}")
        return 2
    on_a_platform = [name for name in wanted if name in _ON_A_PLATFORM]
    if on_a_platform:
        with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as platform:
            user = platform.admin()
            for name in on_a_platform:
                show(name, _ON_A_PLATFORM[name](platform, user))
    if "library" in wanted:
        show("library", flask_kurama_overhead.run())
    if "demo" in wanted:
        show("demo", demo.run())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
