"""`make demo` from a fresh clone, with empty caches."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import yaml

from bench.table import Row
from tests.harness import ROOT, free_ports

_LIMIT_S = 90.0
_TIMEOUT_S = 600


def run() -> list[Row]:
    """The row of the demo; what is committed is what is cloned."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone = folder / "kurama"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = _environment(folder)
        begun = time.perf_counter()
        try:
            subprocess.run(
                ["make", "demo"],
                cwd=clone,
                env=environment,
                check=True,
                timeout=_TIMEOUT_S,
                stdout=subprocess.DEVNULL,
            )
            took = time.perf_counter() - begun
        finally:
            subprocess.run(["make", "down"], cwd=clone, env=environment, check=False)
            shutil.rmtree(folder / "home", ignore_errors=True)
    return [Row("make demo, fresh clone, empty caches", took, "s", _LIMIT_S, "the limit")]


def _environment(folder: Path) -> dict[str, str]:
    """Nobody's caches, nobody's login, ports of its own."""
    ports = free_ports(4)
    names = ("interface", "router", "ingest", "bus")
    settings = {name: {"port": port} for name, port in zip(names, ports, strict=True)}
    config = folder / "kuramaconfig.yaml"
    config.write_text(yaml.safe_dump({"home": str(folder / "home"), **settings}))
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KURAMA_")}
    return {
        **kept,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "UV_CACHE_DIR": str(folder / "uv"),
        "PIP_NO_CACHE_DIR": "1",
        "KURAMA_CONFIG": str(config),
    }
