"""Stories of pushes: what a developer does, with a real git, against a whole platform."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.harness import Checkout, Done, Platform, User, hello

TEN_FIELDS = (
    "timestamp level url status message cpu_percent disk_percent swap_percent memory_percent uuid"
).split()


def test_a_pushed_app_answers_and_its_records_come(platform: Platform, ann: User) -> None:
    """create, push, curl, logs: the whole way, with ten fields in each record."""
    shop = ann.app("first", hello())
    done = shop.push()
    assert done.status == 0, done.all
    assert "-----> Python app detected (requirements.txt" in done.err
    assert "-----> Building v1 on worker local" in done.err
    assert "0 requests dropped" in done.err
    assert f"=====> v1 is live at http://first.localhost:{_router(platform)}" in done.err
    assert [one["state"] for one in shop.json("ps")] == ["running"]
    assert shop.get() == (200, "hello 1")

    def request_record() -> list[dict[str, Any]]:
        found = shop.json("logs", "-n", "20")
        return [one for one in found if one["route"] == "/"]

    (record,) = eventually(request_record)
    assert 0 <= record["cpu_percent"] <= 100, "sampled since the probe, which left no record"
    assert list(record)[:10] == TEN_FIELDS
    assert record["status"] == 200
    assert record["url"] == f"http://first.localhost:{_router(platform)}/"
    assert (record["app"], record["process"], record["replica"]) == ("first", "web", "web.1")


def test_a_code_only_push_installs_nothing(ann: User) -> None:
    """The second push finds its dependencies where the first left them."""
    app = ann.app("codeonly", hello())
    app.deploy()
    done = app.deploy(hello("2"))
    assert "Dependencies are as before: nothing to install" in done.err
    assert "Installed" not in done.err
    assert app.get() == (200, "hello 2")


def test_a_broken_push_fails_and_the_same_push_can_be_tried_again(ann: User) -> None:
    """git exits 1, the old release serves, the branch is back, and the mended app deploys."""
    app = ann.app("broken", hello())
    app.deploy()
    commit = app.commit({"app.py": "import nothing_like_this\n" + hello()["app.py"]})
    first = app.push()
    assert first.status == 1
    assert "[remote rejected] main -> main (deploy failed: web.1 ended while it was starting" in (
        first.err
    )
    said = [line.removeprefix("remote:  !").strip() for line in first.err.splitlines()]
    assert "ModuleNotFoundError: No module named 'nothing_like_this'" in said, "plain, not JSON"
    assert app.get() == (200, "hello 1")
    second = app.push()
    assert second.status == 1, "the branch was put back, so that the push is not `up-to-date`"
    assert commit[:7] in second.err or "remote rejected" in second.err
    states = [release["state"] for release in app.json("releases")]
    assert states == ["failed", "failed", "live"]
    app.deploy(hello("3"))
    assert app.get() == (200, "hello 3")


def test_clone_and_fetch(ann: User) -> None:
    """What was pushed can be cloned, with the deployed branch checked out."""
    app = ann.app("cloned", hello())
    app.deploy()
    url = app.user.git("remote", "get-url", "kurama", cwd=app.folder).out.strip()
    done = ann.git("clone", "--quiet", url, "copy-of-cloned", cwd=ann.folder)
    assert done.status == 0, done.all
    assert (ann.folder / "copy-of-cloned" / "app.py").read_text() == hello()["app.py"]
    app.deploy(hello("2"))
    assert ann.git("pull", "--quiet", cwd=ann.folder / "copy-of-cloned").status == 0
    assert "hello 2" in (ann.folder / "copy-of-cloned" / "app.py").read_text()


def test_another_users_app_is_not_there(platform: Platform, ann: User, bob: User) -> None:
    """Bob can neither see, push to, clone, change nor destroy what is Ann's."""
    app = ann.app("anns", hello())
    app.deploy()
    assert bob.json("apps") == []
    url = f"{platform.url}/git/anns.git"
    done = bob.git("ls-remote", url, cwd=bob.folder)
    assert done.status != 0
    assert "There is no app anns" in done.err
    assert "not found" in done.err
    for arguments in (("ps",), ("logs",), ("config",), ("releases",), ("restart",)):
        refused = bob.kurama(*arguments, "-a", "anns")
        assert refused.status == 4, (arguments, refused.all)
        assert "There is no app anns" in refused.err
    assert bob.kurama("destroy", "-a", "anns", "--confirm", "anns").status == 4
    assert app.get() == (200, "hello 1")


def test_a_wrong_token_is_refused(platform: Platform, ann: User) -> None:
    """git is told that authentication failed, and takes nothing else for an answer."""
    app = ann.app("tokens", hello())
    url = platform.url.replace("http://", "http://somebody:kurama_wrong@") + "/git/tokens.git"
    done = app.push(url, "main")
    assert done.status != 0
    assert "Authentication failed" in done.err or "could not read Username" in done.err
    status, body = platform.api(User(platform, ann.folder, "x", "kurama_wrong"), "GET", "/apps")
    assert status == 401
    assert body["error"]["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("kurama", "main:feature"), "feature is a branch that deploys nothing"),
        (("kurama", "v1.0"), "v1.0 is a tag that deploys nothing"),
        (("kurama", ":main"), "main can't be deleted"),
    ],
)
def test_what_is_not_the_deploy_branch_is_refused(
    ann: User, arguments: tuple[str, ...], said: str, request: pytest.FixtureRequest
) -> None:
    """Another branch, a tag, a deletion: each says what to do, and changes nothing."""
    app = _shared(ann, request, "branches")
    app.user.git("tag", "--force", "v1.0", cwd=app.folder)
    done = app.push(*arguments)
    assert done.status == 1
    assert said in done.err
    assert app.get() == (200, "hello 1")


def test_two_branches_at_once_are_refused(ann: User) -> None:
    """main and master in one push: which one should be live?"""
    app = ann.app("both", hello())
    done = app.push("kurama", "main:main", "main:master")
    assert done.status == 1
    assert "One push deploys one branch" in done.err


def test_a_push_to_master_deploys(ann: User) -> None:
    """main or master: both are the deploy branch."""
    app = ann.app("mastered", hello())
    done = app.push("kurama", "main:master")
    assert done.status == 0, done.all
    assert app.get() == (200, "hello 1")


def test_hostile_trees_are_refused(ann: User, request: pytest.FixtureRequest) -> None:
    """A newline in a name, a link out of the tree, a submodule, nothing at all."""
    app = _shared(ann, request, "branches")
    good = app.user.git("rev-parse", "HEAD", cwd=app.folder).out.strip()

    def refused(said: str) -> None:
        done = app.push("--force", "kurama", "HEAD:main")
        assert done.status == 1, done.all
        assert said in done.err
        assert "pre-receive hook declined" in done.err
        app.user.git("reset", "--hard", "--quiet", good, cwd=app.folder)

    app.commit({"a\nb.py": "x = 1\n"})
    refused("has a newline")
    (app.folder / "passwd").symlink_to("../../../etc/passwd")
    app.commit()
    refused("a symbolic link that leads out of the repository")
    inner = app.folder / "inner"
    inner.mkdir()
    app.user.git("init", "--quiet", cwd=inner)
    app.user.git("commit", "--quiet", "--allow-empty", "-m", "x", cwd=inner)
    app.commit()
    refused("a git submodule")
    app.user.git("rm", "-r", "--quiet", "--cached", ".", cwd=app.folder)
    app.user.git("commit", "--quiet", "-m", "Nothing", cwd=app.folder)
    refused("The commit has no files")
    assert app.get() == (200, "hello 1")


def test_an_app_that_never_listens(ann: User) -> None:
    """It is given up after deploy.boot_timeout, with what it printed and what it should do."""
    app = ann.app("deaf", {**hello(), "Procfile": "web: echo waiting for nobody; sleep 300\n"})
    done = app.push()
    assert done.status == 1
    assert "web.1 wasn't healthy within 20 s (nothing listens on port" in done.err
    assert "waiting for nobody" in done.err
    assert "must listen on port $PORT" in done.err
    eventually(lambda: app.json("ps") == [])
    assert app.get()[0] == 503


def test_an_unknown_package(ann: User) -> None:
    """uv's own words reach the developer, and nothing is released."""
    app = ann.app("unknown", {**hello(), "requirements.txt": "no-such-package-of-anybody\n"})
    done = app.push()
    assert done.status == 1
    assert "no-such-package-of-anybody" in done.err
    assert "remote rejected" in done.err
    assert app.json("releases") == []


def test_concurrent_pushes_queue(ann: User) -> None:
    """The second waits for the first, says so, and then deploys."""
    app = ann.app("queue", {**hello(), "Procfile": _SLOW_RELEASE})
    app.deploy()
    first: list[Done] = []
    app.commit(hello("2"))
    thread = threading.Thread(target=lambda: first.append(app.push()))
    thread.start()
    eventually(
        lambda: app.user.git("ls-remote", "kurama", cwd=app.folder).out.split()[0] == _head(app)
    )
    app.commit(hello("3"))
    second = app.push()
    thread.join(60)
    assert first[0].status == 0, first[0].all
    assert second.status == 0, second.all
    assert "Waiting for a push by ann@example.com" in second.err
    assert app.get() == (200, "hello 3")


def test_a_push_during_a_rollback(ann: User) -> None:
    """One waits for the other; what was asked for last is what serves."""
    app = ann.app("during", {**hello(), "Procfile": _SLOW_RELEASE})
    app.deploy()
    app.deploy(hello("2"))
    done: list[Done] = []
    thread = threading.Thread(target=lambda: done.append(app.kurama("rollback")))
    thread.start()
    eventually(lambda: app.json("releases")[0]["state"] == "pending")
    app.commit(hello("3"))
    pushed = app.push()
    thread.join(60)
    assert done[0].status == 0, done[0].all
    assert pushed.status == 0, pushed.all
    assert "Waiting for a rollback" in pushed.err
    assert app.get() == (200, "hello 3")


def test_a_deploy_outlives_ctrl_c(ann: User) -> None:
    """The client goes away in the middle; the release goes live all the same."""
    import os
    import signal
    import subprocess

    app = ann.app("ctrlc", {**hello(), "Procfile": _SLOW_RELEASE})
    app.deploy()
    app.commit(hello("2"))
    client = subprocess.Popen(
        ["git", "push", "kurama", "main"],
        cwd=app.folder,
        env=ann.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    eventually(lambda: app.json("releases")[0]["state"] == "pending")
    os.killpg(client.pid, signal.SIGINT)
    client.wait(10)
    eventually(lambda: app.get() == (200, "hello 2"), timeout=20)


def test_the_release_command(ann: User) -> None:
    """It runs before the switch, sees the config, and its failure stops the deploy."""
    procfile = (
        "web: gunicorn --bind $HOST:$PORT app:app\nrelease: echo releasing $COLOUR; test -z $FAIL\n"
    )
    app = ann.app("released", {**hello(), "Procfile": procfile})
    assert app.kurama("config", "set", "COLOUR=blue").status == 0
    done = app.deploy()
    assert "Running the release command" in done.err
    assert "releasing blue" in done.err
    failed = app.kurama("config", "set", "FAIL=yes")
    assert failed.status == 1
    assert "The release command ended with status 1" in failed.all
    names = [variable["name"] for variable in app.json("config")]
    assert names == ["COLOUR"], "a config that could not be released is not the app's config"
    assert app.get() == (200, "hello 1")


def test_a_push_that_is_too_large(platform: Platform, ann: User, tmp_path: Path) -> None:
    """Over git.max_push it is refused in plain words, and the server is none the worse."""
    app = ann.app("large", hello())
    app.deploy()
    with (app.folder / "big.bin").open("wb") as file, Path("/dev/urandom").open("rb") as noise:
        for _ in range(26):
            file.write(noise.read(10_000_000))
    app.commit()
    done = app.push()
    assert done.status == 1
    assert "This push has more than 250 MB" in done.err
    assert app.get() == (200, "hello 1")


def test_git_speaks_to_nobody_else(platform: Platform, ann: User) -> None:
    """The hooks' endpoints take only the push's own secret, and apps that aren't there have 404."""
    status, _ = platform.api(ann, "GET", "/apps/../x")
    assert status == 404
    done = ann.run(
        "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST",
        "-H", "X-Kurama-Push: 1", "-H", "X-Kurama-Secret: 2",
        f"{platform.url}/internal/pre-receive",
    )  # fmt: skip
    assert done.out == "403"


_SLOW_RELEASE = "web: gunicorn --bind $HOST:$PORT app:app\nrelease: sleep 2\n"
_kept: dict[str, Checkout] = {}


def _shared(ann: User, request: pytest.FixtureRequest, name: str) -> Checkout:
    """One deployed app for several tests that change nothing of it."""
    if name not in _kept:
        _kept[name] = ann.app(name, hello())
        _kept[name].deploy()
    return _kept[name]


def _head(app: Checkout) -> str:
    return app.user.git("rev-parse", "HEAD", cwd=app.folder).out.strip()


def _router(platform: Platform) -> int:
    return int(platform.settings["router"]["port"])


def test_an_apps_name_is_given_to_somebody_else(ann: User, bob: User) -> None:
    """Of what Ann's app logged, Bob's new app of the same name shows nothing."""
    app = ann.app("inherited", hello())
    app.deploy()
    eventually(lambda: app.get("/?secret-of=ann") and len(app.json("logs")) > 3)
    assert app.kurama("destroy", "-a", "inherited", "--confirm", "inherited").status == 0
    assert app.get()[0] == 404
    again = bob.app("inherited", hello())
    assert again.json("logs") == []
    again.deploy()
    assert again.get() == (200, "hello 1")
    found = eventually(lambda: [r for r in again.json("logs") if r["status"] == 200])
    assert not [record for record in found if "secret-of" in (record["url"] or "")]
