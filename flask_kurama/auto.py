"""Instruments every Flask application of an interpreter: for the line `import flask_kurama.auto`
in a .pth file.

It runs at every interpreter start, so it imports nothing: it waits until somebody imports Flask.
What there is to do with an application is extension.py's matter. Whatever goes wrong here, the
application runs as if this were not there.
"""

from __future__ import annotations

import sys

from flask_kurama import is_off

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any
else:
    ModuleType = type(sys)

_MODULE = "flask.app"
_CLASS = "Flask"


class _Awaited(ModuleType):
    """The module `flask.app` until somebody takes `Flask` from it; from then on a plain module.

    To wait for that, and not to run the module's code from a loader of ours, keeps this file out
    of the traceback of an import that fails.
    """

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name == _CLASS:
            self.__class__ = ModuleType  # type: ignore[assignment]
            _instrument_all(value)
        return value


class _Loader:
    """Stands in for the true loader until the module is made; the true one then runs it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> Any:
        spec.loader = self._loader
        module = self._loader.create_module(spec)
        return _Awaited(spec.name) if module is None else module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Finder:
    """Finds `flask.app` as the other finders do, and nothing else."""

    def __init__(self) -> None:
        self._asking = False

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        # Another tool's finder may ask all finders as this one does, and so ask it again.
        if name != _MODULE or self._asking:
            return None
        self._asking = True
        try:
            specs = (f.find_spec(name, path, target) for f in sys.meta_path if f is not self)
            spec = next((spec for spec in specs if spec is not None), None)
        finally:
            self._asking = False
        if spec is not None and hasattr(spec.loader, "create_module"):
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


def _instrument_all(flask_class: Any) -> None:
    """Let each new Flask application be instrumented when it has been made."""
    from functools import wraps

    make = flask_class.__init__

    @wraps(make)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        make(self, *args, **kwargs)
        _instrument(self)

    flask_class.__init__ = __init__


def _instrument(app: Any) -> None:
    try:
        from flask_kurama.extension import Kurama

        Kurama(app)
    except Exception as fault:  # noqa: BLE001  an application must run without us, whatever it is
        from flask_kurama.faults import admit

        admit(fault)


if not is_off():
    if _MODULE in sys.modules:
        _instrument_all(getattr(sys.modules[_MODULE], _CLASS))
    else:
        sys.meta_path.insert(0, _Finder())
