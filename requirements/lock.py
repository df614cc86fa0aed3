"""Resolve setup.cfg into requirements/*.txt, with hashes and without naming any package index.

Run by `make lock`. What must not live here: versions (they are the output) or names of packages
(they are in setup.cfg).
"""

import configparser
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# Distributions that live in this repository and are installed from it.
OWN = ("flask-kurama",)


def requirements(*extras: str) -> str:
    """The requirement lines of setup.cfg: the base ones and those of `extras`, without our own."""
    config = configparser.ConfigParser()
    config.read(HERE.parent / "setup.cfg")
    blocks = [config["options"]["install_requires"]]
    blocks += [config["options.extras_require"][extra] for extra in extras]
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    return "\n".join(line for line in lines if not line.startswith(OWN)) + "\n"


def compile_to(name: str, lines: str, *constraints: str) -> None:
    """Write requirements/NAME from `lines`, keeping shared packages as `constraints` say."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "compile", "--quiet", "--generate-hashes", "--python-version=3.11"]
    command += ["--no-emit-index-url", "--no-header", "--no-annotate", "--upgrade"]
    for constraint in constraints:
        command += ["--constraint", constraint]
    command += ["-", "--output-file", name]
    subprocess.run(command, input=lines, text=True, cwd=HERE, check=True)


if __name__ == "__main__":
    # The whole first: a part is then held to what the whole agreed on.
    compile_to("dev.txt", requirements("server", "embedded", "dev", "bench"))
    compile_to("runtime.txt", requirements("server", "embedded"), "dev.txt")
    compile_to("bootstrap.txt", "uv\n", "dev.txt")
