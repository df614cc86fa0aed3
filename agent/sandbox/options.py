"""What the control plane settles with the sandbox in `hello`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from agent.faults import Fault, FaultCode


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes in bytes, times in seconds; see the `sandbox` and `build` sections of the settings."""

    isolation: str = "auto"
    first_port: int = 20000
    last_port: int = 29999
    first_uid: int = 50000
    log_buffer: int = 64_000_000
    build_timeout: float = 900.0
    build_memory: int = 2_000_000_000
    run_timeout: float = 600.0
    min_free_disk: int = 500_000_000


def parse(values: Mapping[str, Any]) -> Options:
    """The options that `values` names, the others at their defaults; Fault for unknown ones."""
    unknown = set(values) - {field.name for field in fields(Options)}
    if unknown:
        raise Fault(FaultCode.WIRE_MISMATCH, f"Unknown options: {', '.join(sorted(unknown))}")
    return Options(**values)
