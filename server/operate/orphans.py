"""Parts that outlived their supervisor: found by the mark in their environment, and ended.

The worker's own keeper and its replicas are no such parts: apps go on serving.
"""

from pathlib import Path

import psutil

from server.operate.programs import MARK

_PATIENCE_S = 10.0


def end(home: Path) -> int:
    """End every part of the platform in `home`, politely first; return how many there were.

    The caller has made sure that no supervisor is up.
    """
    found = find(home)
    for process in found:
        _tell(process, kill=False)
    _, left = psutil.wait_procs(found, timeout=_PATIENCE_S)
    for process in left:
        _tell(process, kill=True)
    psutil.wait_procs(left, timeout=_PATIENCE_S)
    return len(found)


def find(home: Path) -> list[psutil.Process]:
    """Every part that runs in `home`; without a supervisor, those that outlived it."""
    spared = _worker(home)
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(MARK) == str(home)
        except (psutil.Error, OSError):
            continue
        if marked and process.pid not in spared:
            found.append(process)
    return found


def _worker(home: Path) -> set[int]:
    """The processes of the worker's keeper, which inherited the mark from who started it."""
    try:
        keeper = psutil.Process(int((home / "worker" / "supervisord.pid").read_text()))
        return {keeper.pid, *(child.pid for child in keeper.children(recursive=True))}
    except (psutil.Error, OSError, ValueError):
        return set()


def _tell(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.Error:
        return
