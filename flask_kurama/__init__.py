"""Ten-field log records for Flask applications.

`Kurama(app)` instruments one application; `flask_kurama.auto` instruments all of them. This module
is imported at every interpreter start, so whatever costs time is imported only when it is asked
for.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from flask_kurama.extension import Kurama

__all__ = ["Kurama", "is_off"]


def is_off() -> bool:
    """Whether KURAMA_INSTRUMENT says that nothing at all is to be instrumented.

    Nor is anything where there are no file descriptors to poll, as on Windows.
    """
    choice = os.environ.get("KURAMA_INSTRUMENT", "").strip().lower()
    return choice in {"off", "0", "false", "no"} or os.name != "posix"


def __getattr__(name: str) -> object:
    if name == "Kurama":
        from flask_kurama.extension import Kurama

        return Kurama
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
