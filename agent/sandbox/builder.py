"""Builds images: runs a plan's steps in a jail, and keeps what they installed for the next push."""

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent import process
from agent.build import indexes
from agent.build.plan import APP_DIR, SCRATCH, TREE, BuildPlan, Step
from agent.faults import Fault, FaultCode
from agent.runtime import Image, Limits, Output, Stop
from agent.sandbox import environment, folders, spec
from agent.sandbox.cgroups import Cgroups
from agent.sandbox.identity import Identities
from agent.sandbox.images import Images, StoredImage
from agent.sandbox.jail import Jail, View, write_etc
from agent.sandbox.layout import Layout
from agent.sandbox.library import Library
from agent.sandbox.options import Options

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_OUT_OF_MEMORY = 137
# uv names the folder of the environment before each step: nobody who pushes can use that.
_NOISE = "Using Python "


@dataclass(frozen=True, slots=True)
class _Site:
    """Where one build happens."""

    app: str
    uid: int | None
    tree: Path
    # Where it will be, and where its programs find it; and the folder in which it is made.
    venv: Path
    made: Path
    scratch: Path
    etc: Path


class Builder:
    """Makes images of one sandbox. Builds of one app come one after the other."""

    def __init__(
        self,
        layout: Layout,
        options: Options,
        jail: Jail,
        cgroups: Cgroups,
        identities: Identities,
        uv: Path,
        host_environment: Mapping[str, str],
    ) -> None:
        self._layout = layout
        self._options = options
        self._jail = jail
        self._cgroups = cgroups
        self._identities = identities
        self._uv = uv
        self._host = host_environment
        self._images = Images(layout)
        self._library = Library(layout)

    def build(
        self, app: str, uid: int | None, context: Path, plan: BuildPlan, output: Output, stop: Stop
    ) -> Image:
        """Make an image of the tree in `context`, which moves into it."""
        self._check_disk()
        reference = secrets.token_hex(6)
        folder = self._layout.image(app, reference)
        folder.mkdir(mode=0o700, parents=True)
        tree = folder / "src"
        shutil.move(context, tree)
        tree.chmod(0o755)
        self._identities.give(uid, tree)
        library = self._library.path()
        # Outside of a jail the tree has no place that is the same for every image, and what is
        # installed as editable leads to where it stands: there an environment serves one image.
        place = "" if self._jail.confines else reference
        fingerprint = self._library.stamped(plan.fingerprint + place)
        with self._site(app, uid, tree, fingerprint) as site:
            reused = self._install(site, plan, library, output, stop)
        image = StoredImage(
            reference=reference,
            venv=fingerprint,
            python_home=str(Path(plan.python).resolve().parent.parent),
            python_version=plan.python_version,
            processes=dict(plan.processes),
            release_command=plan.release_command,
            pythonpath=tuple(plan.pythonpath),
            library=str(library),
        )
        self._images.save(app, image)
        return Image(
            reference,
            plan.processes,
            plan.release_command,
            plan.python_version,
            plan.notes,
            reused,
        )

    def _install(
        self, site: _Site, plan: BuildPlan, library: Path, output: Output, stop: Stop
    ) -> bool:
        """Have the virtual environment of this plan; return whether it was there already."""
        complete = self._layout.complete(site.app, site.venv.name)
        if complete.exists():
            return True
        folders.remove(site.venv)
        folders.remove(site.made)
        for name, text in plan.files.items():
            (site.scratch / name).write_text(self._filled(text, site))
            self._identities.give(site.uid, site.scratch / name)
        make = Step(("uv", "venv", "--quiet", "--python", plan.python, str(site.venv)), "")
        for step in (make, *plan.steps, self._library.step(library)):
            if step.title:
                output(step.title)
            self._run(site, plan, step, output, stop)
        if site.made.is_symlink() or not site.made.is_dir():
            raise Fault(FaultCode.BUILD_FAILED, "The build replaced its virtual environment")
        # From here on no build can reach it.
        site.made.rename(site.venv)
        complete.write_text(json.dumps({"source": plan.source, "python": plan.python}))
        return False

    def _run(self, site: _Site, plan: BuildPlan, step: Step, output: Output, stop: Stop) -> None:
        network = indexes.environment(self._host, Path.home())
        view = self._view(site, plan, network)
        words = [self._filled(word, site) for word in step.argv]
        argv = [str(self._uv), *words[1:]] if words[0] == "uv" else words
        variables = {**self._environment(site), **network}
        path = self._layout.home / f"{_group(site)}.json"
        launch = spec.write(path, self._jail, view, argv, variables, view.groups)
        try:
            status = process.run(
                launch,
                environment={},
                cwd=site.tree,
                output=lambda line: None if line.startswith(_NOISE) else output(line),
                stop=stop,
                timeout=self._options.build_timeout,
            )
        except process.Interrupted as interrupted:
            raise Fault(
                FaultCode.BUILD_FAILED,
                f"The build was ended: {interrupted.reason}",
                "A build may take build.timeout in kuramaconfig.yaml.",
            ) from None
        finally:
            path.unlink(missing_ok=True)
        if status:
            self._fail(site, step, status)

    def _filled(self, text: str, site: _Site) -> str:
        """`text` with the plan's placeholders replaced by what the program sees."""
        tree = APP_DIR if self._jail.confines else str(site.tree)
        return text.replace(SCRATCH, str(site.scratch)).replace(TREE, tree)

    def _fail(self, site: _Site, step: Step, status: int) -> None:
        self._check_disk()
        killed = status in (_OUT_OF_MEMORY, -9) or self._cgroups.out_of_memory(_group(site))
        if killed:
            raise Fault(
                FaultCode.BUILD_FAILED,
                f"The build ran out of memory ({self._options.build_memory // 1_000_000} MB)",
                "Raise build.memory in kuramaconfig.yaml, or use a package's wheel.",
            )
        raise Fault(
            FaultCode.BUILD_FAILED,
            f"`{' '.join(step.argv[:3])}` failed with status {status}; its output is above",
            "Mend what it names (a package's name or version, most often) and push again.",
        )

    def _environment(self, site: _Site) -> dict[str, str]:
        # Beside the environment, in one mount: uv links files from one into the other.
        cache = (site.venv if self._jail.confines else site.made).with_name("cache")
        return {
            "PATH": f"{site.venv}/bin:{self._uv.parent}:{_SYSTEM_PATH}",
            "HOME": "/tmp" if self._jail.confines else str(site.scratch),  # noqa: S108
            "LANG": "C.UTF-8",
            "VIRTUAL_ENV": str(site.venv),
            "UV_PROJECT_ENVIRONMENT": str(site.venv),
            "UV_CACHE_DIR": str(cache),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_COMPILE_BYTECODE": "1",
            "UV_NO_PROGRESS": "1",
            "NO_COLOR": "1",
        }

    def _view(self, site: _Site, plan: BuildPlan, network: Mapping[str, str]) -> View:
        home = Path(plan.python).resolve().parent.parent
        python = [] if home.is_relative_to("/usr") else [home]
        certificates = environment.certificate_paths(self._host)
        limits = Limits(self._options.build_memory, float(os.cpu_count() or 1))
        return View(
            app=site.app,
            uid=site.uid,
            tree=site.tree,
            tmp=site.scratch,
            etc=site.etc,
            readable=[self._uv.resolve(), *python, *certificates, *indexes.local_paths(network)],
            writable={site.scratch: site.scratch, site.venv.parent: site.made.parent},
            groups=self._cgroups.groups(_group(site), limits),
        )

    @contextmanager
    def _site(self, app: str, uid: int | None, tree: Path, fingerprint: str) -> Iterator[_Site]:
        venv, work = self._layout.venv(app, fingerprint), self._layout.work(app)
        for path in (venv.parent, work):
            path.mkdir(mode=0o700, exist_ok=True)
        if uid is not None:
            os.chown(work, uid, uid)
        folder = Path(tempfile.mkdtemp(prefix="build-", dir=self._layout.app(app)))
        scratch, etc = folder / "tmp", folder / "etc"
        scratch.mkdir(mode=0o700)
        self._identities.give(uid, scratch)
        # Not in what a step may write: the next one is shown it.
        write_etc(etc, uid)
        # Unconfined there is but one place, and nothing to keep a build from.
        made = work / fingerprint if self._jail.confines else venv
        site = _Site(app, uid, tree, venv, made, scratch, etc)
        try:
            yield site
        finally:
            self._cgroups.remove(_group(site))
            folders.remove(folder)

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self._layout.home).free
        if free < self._options.min_free_disk:
            raise Fault(
                FaultCode.DISK_FULL,
                f"The worker's disk has {free // 1_000_000} MB left, and a build needs "
                f"{self._options.min_free_disk // 1_000_000} MB",
                "Free some space, or lower build.min_free_disk, and push again.",
            )


def _group(site: _Site) -> str:
    return f"{site.app}.{site.scratch.parent.name}"
