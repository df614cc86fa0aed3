"""The agent as a program: the wire on stdin and stdout, everything else on stderr.

python -m agent --home FOLDER --socket PATH
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from agent.methods import Methods
from agent.serve import Server


def main() -> None:
    """Serve one control plane until it closes our stdin."""
    parser = argparse.ArgumentParser(prog="agent", description="Kurama's agent on a worker host.")
    parser.add_argument(
        "--home", type=Path, required=True, help="where this worker keeps its state"
    )
    parser.add_argument("--socket", type=Path, required=True, help="supervisord's unix socket")
    arguments = parser.parse_args()
    # A Ctrl-C in the terminal of whoever started us is not meant for us: our stdin tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = _keep_stdout()
    methods = Methods(arguments.home.absolute(), arguments.socket.absolute())
    Server(sys.stdin.buffer, replies, methods.find).serve()


def _keep_stdout() -> BinaryIO:
    """Take fd 1 for the wire and let stdout mean stderr, so that nothing can print on the wire."""
    wire = os.fdopen(os.dup(1), "wb")
    os.set_inheritable(wire.fileno(), False)
    os.dup2(2, 1)
    return wire


if __name__ == "__main__":
    main()
