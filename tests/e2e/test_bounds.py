"""Stories of requests that ask for more memory or disk than anybody has."""

import gzip
import http.client

from tests.harness import Platform, User, hello

_MB = 1024 * 1024


def _status(platform: Platform, path: str, body: bytes, headers: dict[str, str]) -> int:
    port = platform.settings["interface"]["port"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest("POST", path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(max(len(body), 64 * _MB)))
        connection.endheaders()
        # It is answered long before all that was announced has come.
        connection.send(body)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_body_without_end_is_refused_while_it_comes(platform: Platform) -> None:
    """Nobody is logged in yet, and it would all be kept in memory."""
    kind = {"Content-Type": "application/json"}
    assert _status(platform, "/api/v1/login", b" " * (3 * _MB), kind) == 413


def test_a_fetch_that_unzips_to_too_much(platform: Platform, ann: User) -> None:
    """Neither is it cut silently, nor is junk an error of ours."""
    app = ann.app("zipped", hello())
    login = {"Authorization": f"Bearer {app.user.token}", "Content-Encoding": "gzip"}
    path = "/git/zipped.git/git-upload-pack"
    assert _status(platform, path, gzip.compress(bytes(60 * _MB)), login) == 413
    assert _status(platform, path, b"this is not gzip", login) == 400


def test_a_few_objects_that_are_a_billion_files(ann: User) -> None:
    """Trees that hold the same tree ten times, nine deep: refused, and nothing is laid out."""
    app = ann.app("bomb", hello())

    def git(*arguments: str, stdin: str | None = None) -> str:
        done = ann.run("git", *arguments, cwd=app.folder, stdin=stdin)
        assert done.status == 0, done.all
        return done.out.strip()

    entry = f"100644 blob {git('hash-object', '-w', '--stdin', stdin='x')}"
    for _ in range(9):
        tree = git("mktree", stdin="".join(f"{entry}\tx{n}\n" for n in range(10)))
        entry = f"040000 tree {tree}"
    git("update-ref", "refs/heads/main", git("commit-tree", tree, "-m", "Bomb", "-p", "HEAD"))
    done = app.push()
    assert done.status == 1
    assert "more than 100,000 files" in done.err
    assert app.deploy(hello()).status == 0


def test_a_small_pack_that_is_terabytes_of_zeros(ann: User) -> None:
    """One file under many names: its size counts each time."""
    app = ann.app("zeros", hello())
    size = 50 * _MB
    app.commit({f"zeros/{n}": bytes(size) for n in range(2)})
    blob = ann.git("rev-parse", "HEAD:zeros/0", cwd=app.folder).out.strip()
    listing = "".join(f"100644 blob {blob}\tzero{n}\n" for n in range(100))
    tree = ann.run("git", "mktree", cwd=app.folder, stdin=listing).out.strip()
    commit = ann.git("commit-tree", tree, "-m", "Zeros", cwd=app.folder).out.strip()
    done = app.push("kurama", f"{commit}:refs/heads/main")
    assert done.status == 1
    assert "more than 4 GB" in done.err
