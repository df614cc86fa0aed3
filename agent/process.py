"""The one place where the agent starts a process and waits for it: argument lists, a deadline."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.runtime import Output, Stop

_GRACE_S = 5.0
_CHECK_S = 0.1
_TIME_IS_UP = "time"
# A line of output that never ends is cut here.
_MAX_LINE = 64 * 1024


class Interrupted(Exception):
    """The process was ended because its caller lost interest or its time was up."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: Path,
    output: Output,
    stop: Stop,
    timeout: float,
) -> int:
    """Run `argv` to its end, with each line of its output given to `output`; return its status.

    It leads a process group of its own, which ends with it. Raises Interrupted when `stop` is set
    or `timeout` seconds have passed.
    """
    process = subprocess.Popen(
        argv,
        env=dict(environment),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    ended = threading.Event()
    reader = threading.Thread(target=_read, args=(process, output, ended), daemon=True)
    reader.start()
    try:
        reason = _wait(process, ended, stop, time.monotonic() + timeout)
    finally:
        _end(process)
    reader.join(timeout=_GRACE_S)
    if reason == _TIME_IS_UP:
        raise Interrupted(f"it took longer than {timeout:.0f} s")
    if reason:
        raise Interrupted(reason)
    return process.returncode


def _read(process: subprocess.Popen[bytes], output: Output, ended: threading.Event) -> None:
    assert process.stdout is not None  # noqa: S101 - Popen was asked for a pipe
    try:
        while line := process.stdout.readline(_MAX_LINE):
            output(line.decode("utf-8", "replace").rstrip("\r\n"))
    finally:
        ended.set()


def _wait(
    process: subprocess.Popen[bytes], ended: threading.Event, stop: Stop, deadline: float
) -> str:
    """Wait for the end of the output, or for a reason to end it: that reason, or ""."""
    while True:
        if ended.wait(_CHECK_S):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_CHECK_S)
                return ""
        elif process.poll() is not None:
            # A grandchild holds the pipe; what the command itself had to say has been said.
            return ""
        if stop.is_set():
            return "it was cancelled"
        if time.monotonic() > deadline:
            return _TIME_IS_UP


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process if it runs, politely first, and then whatever its group left behind."""
    if process.poll() is None:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    _signal_group(process, signal.SIGKILL)
    process.wait(_GRACE_S)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
