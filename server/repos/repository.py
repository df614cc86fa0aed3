"""One app's repository, and what of a commit may become a build context."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import git

from server.errors import PreflightFailed, RepositoryError

DEPLOY_BRANCHES = ("refs/heads/main", "refs/heads/master")
NO_COMMIT = "0" * 40
_SYMLINK = "120000"
_SUBMODULE = "160000"
_MOST_SHOWN = 5
# As many as the kernel follows.
_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    blob: str
    path: str


class Repository:
    """A bare repository. `environment` is git's own, for objects that are still in quarantine."""

    def __init__(self, path: Path, environment: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._git = git.cmd.Git(path)
        self._git.update_environment(GIT_DIR=str(path), LC_ALL="C.UTF-8", **(environment or {}))

    @classmethod
    def create(cls, path: Path) -> "Repository":
        """Make an empty one, with `main` as its branch; one that is there stays as it is."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        git.Repo.init(path, bare=True, initial_branch="main")
        return cls(path)

    def check_tree(self, commit: str) -> None:
        """PreflightFailed where the commit's files can't be laid out safely, naming them."""
        entries = list(self._entries(commit))
        if not entries:
            raise PreflightFailed(
                "The commit has no files", "Commit your app (git add, git commit) and push again."
            )
        self._check_names(entries)
        self._check_submodules(entries)
        self._check_symlinks(entries)

    def check_out(self, commit: str, folder: Path) -> None:
        """Write the commit's files into `folder`, which must be empty."""
        with tempfile.TemporaryDirectory() as scratch:
            index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            self._run("read-tree", commit, **index)
            self._run("checkout-index", "--all", **index, GIT_WORK_TREE=str(folder))

    def head(self, branch: str) -> str | None:
        """The commit that `branch` (a full reference) points at, or None."""
        try:
            return str(self._git.rev_parse("--verify", "--quiet", f"{branch}^{{commit}}"))
        except git.GitCommandError:
            return None

    def move(self, branch: str, expected: str, target: str | None) -> bool:
        """Point `branch` at `target` (None: nowhere) if it is at `expected`; whether it was."""
        try:
            if target is None:
                self._git.update_ref("-d", branch, expected)
            else:
                self._git.update_ref(branch, target, expected)
        except git.GitCommandError:
            return False
        return True

    def make_default(self, branch: str) -> None:
        """Let a clone check `branch` out."""
        self._run("symbolic-ref", "HEAD", branch)

    def subject(self, commit: str) -> str:
        """The first line of the commit's message."""
        return str(self._git.log("-1", "--format=%s", commit, "--")).strip()

    def _entries(self, commit: str) -> Iterator[_Entry]:
        listed = self._git.ls_tree("-r", "-z", "--full-tree", commit, strip_newline_in_stdout=False)
        for line in filter(None, str(listed).split("\0")):
            described, _, path = line.partition("\t")
            mode, _kind, blob = described.split()
            yield _Entry(mode, blob, path)

    def _check_names(self, entries: list[_Entry]) -> None:
        bad = [
            e.path
            for e in entries
            if not e.path.isprintable() or "\N{REPLACEMENT CHARACTER}" in e.path
        ]
        if bad:
            raise PreflightFailed(
                f"{_some(bad)}: a file's name has a newline or another unprintable character",
                "Rename it (git mv), commit, and push again.",
            )

    def _check_submodules(self, entries: list[_Entry]) -> None:
        found = [entry.path for entry in entries if entry.mode == _SUBMODULE]
        if found:
            raise PreflightFailed(
                f"{_some(found)}: a git submodule, whose files are not in this repository",
                "Add its files to the repository, or depend on it as a package.",
            )

    def _check_symlinks(self, entries: list[_Entry]) -> None:
        links = {entry.path: entry.blob for entry in entries if entry.mode == _SYMLINK}
        targets = {
            path: str(self._git.cat_file("blob", blob, strip_newline_in_stdout=False))
            for path, blob in links.items()
        }
        leaving = [f"{path} → {targets[path]}" for path in links if _leaves(path, targets)]
        if leaving:
            raise PreflightFailed(
                f"{_some(leaving)}: a symbolic link that leads out of the repository",
                "Replace it by a copy of the file, or by a link within the repository.",
            )

    def _run(self, command: str, *arguments: str, **environment: str) -> str:
        try:
            with self._git.custom_environment(**environment):
                return str(self._git.execute(["git", command, *arguments]))
        except git.GitCommandError as error:
            raise RepositoryError(
                f"git {command} failed in {self.path.name}: {error.stderr}"
            ) from error


def _leaves(link: str, targets: Mapping[str, str]) -> bool:
    """Whether following `link` ever leads out of the tree, or in circles."""
    left = link.split("/")
    at: list[str] = []
    steps = 0
    while left:
        part = left.pop(0)
        if part == "..":
            if not at:
                return True
            at.pop()
        elif part not in ("", "."):
            at.append(part)
        here = "/".join(at)
        if here in targets:
            steps += 1
            if targets[here].startswith("/") or steps > _MOST_LINKS:
                return True
            at.pop()
            left = targets[here].split("/") + left
    return False


def _some(paths: list[str]) -> str:
    """A few of `paths`, escaped so that they can't disturb a terminal."""
    shown = ", ".join(repr(path) for path in paths[:_MOST_SHOWN])
    return shown if len(paths) <= _MOST_SHOWN else f"{shown} and {len(paths) - _MOST_SHOWN} more"
