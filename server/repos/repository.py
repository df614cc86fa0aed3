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
# A few kilobytes of pack can name billions of files (trees that hold the same tree again and
# again), or terabytes of zeros: what no application has is refused before it is laid out.
_MOST_FILES = 100_000
_MOST_BYTES = 4_000_000_000
_MOST_LISTED = 64 * 1024 * 1024
_LONGEST_LINK = 4096
_READ = 64 * 1024
# As many as the kernel follows.
_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    blob: str
    size: int
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
        entries: list[_Entry] = []
        total = 0
        for entry in self._entries(commit):
            entries.append(entry)
            total += entry.size
            if len(entries) > _MOST_FILES:
                raise _too_much(f"more than {_MOST_FILES:,} files")
            if total > _MOST_BYTES:
                raise _too_much(f"more than {_MOST_BYTES // 1_000_000_000} GB of files")
        if not entries:
            raise PreflightFailed(
                "The commit has no files", "Commit your app (git add, git commit) and push again."
            )
        self._check_names(entries)
        self._check_submodules(entries)
        _check_environments(entries)
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
        listing = self._git.ls_tree("-r", "-l", "-z", "--full-tree", commit, as_process=True)
        try:
            read, rest = 0, b""
            while chunk := listing.stdout.read(_READ):
                read += len(chunk)
                if read > _MOST_LISTED:
                    raise _too_much("too many files, or names that are too long")
                *lines, rest = (rest + chunk).split(b"\0")
                yield from map(_entry, lines)
            listing.wait()
        finally:
            listing.kill()

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
        long = [e.path for e in entries if e.mode == _SYMLINK and e.size > _LONGEST_LINK]
        if long:
            raise PreflightFailed(
                f"{_some(long)}: a symbolic link to a name that is too long", "Take it out."
            )
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


def _entry(line: bytes) -> _Entry:
    """A line of `ls-tree -l`; a submodule has no size."""
    described, _, path = line.decode("utf-8", "replace").partition("\t")
    mode, _kind, blob, size = described.split()
    return _Entry(mode, blob, 0 if size == "-" else int(size), path)


def _check_environments(entries: list[_Entry]) -> None:
    """Before its links are found wrong: copies would not mend a virtual environment."""
    for entry in entries:
        folder, _, name = entry.path.rpartition("/")
        if name == "pyvenv.cfg" and folder:
            raise PreflightFailed(
                f"{folder}/ is a virtual environment: it belongs to one machine, not into git",
                f"git rm -r --cached {folder} && echo {folder}/ >> .gitignore, then commit.",
            )


def _too_much(what: str) -> PreflightFailed:
    return PreflightFailed(
        f"The commit has {what}", "Keep data and installed packages out of the repository."
    )


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
