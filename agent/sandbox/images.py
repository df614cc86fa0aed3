"""The images of an app: a tree, a virtual environment, and what they were made from."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.faults import Fault, FaultCode
from agent.sandbox import folders
from agent.sandbox.layout import Layout


@dataclass(frozen=True, slots=True)
class StoredImage:
    """What image.json says. `venv` is the fingerprint, `python_home` the interpreter's prefix."""

    reference: str
    venv: str
    python_home: str
    python_version: str
    processes: Mapping[str, str]
    release_command: str | None
    pythonpath: tuple[str, ...]
    library: str


class Images:
    """Reads, writes and deletes images; building is the builder's."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def load(self, app: str, reference: str) -> StoredImage:
        """The image `reference` of `app`; Fault if it isn't here."""
        try:
            fields = json.loads((self._layout.image(app, reference) / "image.json").read_text())
        except OSError:
            raise Fault(
                FaultCode.NO_SUCH_IMAGE,
                f"The image {reference} of {app} is not on this worker",
                "Push again, or roll back to a release whose image is kept (build.keep_images).",
            ) from None
        return StoredImage(**{**fields, "pythonpath": tuple(fields["pythonpath"])})

    def save(self, app: str, image: StoredImage) -> None:
        """Write the description; with it the image is complete."""
        path = self._layout.image(app, image.reference) / "image.json"
        path.write_text(json.dumps(asdict(image)))

    def prune(self, app: str, keep: Collection[str]) -> list[str]:
        """Delete every image not in `keep`, and the virtual environments that none needs then."""
        folder = self._layout.app(app) / "images"
        deleted = [path.name for path in folder.glob("*") if path.name not in keep]
        for reference in deleted:
            folders.remove(folder / reference)
        needed = {self._venv(app, path.name) for path in folder.glob("*")}
        for venv in (self._layout.app(app) / "venvs").glob("*"):
            if venv.name.removesuffix(".json") not in needed:
                folders.remove(venv)
        return deleted

    def tree(self, app: str, reference: str) -> Path:
        """Where the image's tree stands."""
        return self._layout.image(app, reference) / "src"

    def _venv(self, app: str, reference: str) -> str | None:
        try:
            return self.load(app, reference).venv
        except Fault:
            return None
