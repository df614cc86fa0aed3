"""What an app can't do to the machine, the platform and its neighbours, where it is isolated.

Everything is tried from inside, by code that the app's owner pushed.
"""

import contextlib
import http.client
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agent.faults import Fault
from agent.runtime import Limits, ReplicaStatus, Runtime
from tests.conftest import eventually, needs
from tests.contract.conftest import ISOLATING, Host
from tests.contract.tenant import Refused, Tenant, answers, ask, end

_SECRET = "kept-from-others"


pytestmark = pytest.mark.parametrize("host", ISOLATING, indirect=True, scope="session")


def _needs_cgroups(runtime: Runtime) -> None:
    """Not `needs`: an ordinary user has none on most machines, and `make test` is for those too."""
    if not runtime.describe()["cgroups"]:
        pytest.skip("cgroups can't be written here: nothing has limits")


@pytest.fixture(scope="module")
def victim(blog2: Tenant) -> Iterator[ReplicaStatus]:
    """A neighbour, with a secret in its config, its data, its tree and its output."""
    [replica] = blog2.start(environment={"SECRET": _SECRET})
    ask(replica, f"(Path(os.environ['KURAMA_DATA_DIR']) / 'kept').write_text('{_SECRET}')")
    ask(replica, f"print('{_SECRET}', flush=True)")
    yield replica
    blog2.clear()


@pytest.fixture(scope="module")
def intruder(blog: Tenant) -> Iterator[ReplicaStatus]:
    """An app whose owner is curious."""
    [replica] = blog.start(environment={"SECRET": "own"})
    yield replica
    blog.clear()


def test_neighbours_files(host: Host, victim: ReplicaStatus, intruder: ReplicaStatus) -> None:
    """No file below the worker's home that isn't the app's own can be seen, read or made."""
    home = host.home
    # What is there and holds the secret or belongs to the neighbour, by its place on the host.
    files = [path for path in home.rglob("*") if "blog2" in str(path) and path.is_file()]
    assert any(_SECRET in path.read_text(errors="replace") for path in files[:50])
    wanted = [str(path) for path in [*files[:200], home / "supervisord.conf", home.parent]]
    code = f"[p for p in {wanted!r} if os.access(p, os.R_OK) and Path(p).is_file()]"
    assert ask(intruder, code) == []
    for folder in (home / "apps" / "blog2", home / "replicas", home / "logs", home / "conf.d"):
        with pytest.raises(Refused):
            ask(intruder, f"os.listdir({str(folder)!r})")
        with pytest.raises(Refused):
            ask(intruder, f"Path({str(folder)!r}, 'planted').write_text('x')")
        assert not (folder / "planted").exists()


def test_what_stands_in_the_home(
    host: Host, victim: ReplicaStatus, intruder: ReplicaStatus
) -> None:
    """Walking all that the app can reach, it finds nothing that holds the neighbour's secret."""
    code = f"""subprocess.run(
        ["grep", "-rslI", "--exclude-dir=proc", "--exclude-dir=sys", "--exclude-dir=usr",
         "--exclude-dir=lib", "{_SECRET}", "/"], capture_output=True, text=True, timeout=15
    ).stdout"""
    assert ask(intruder, code) == ""


def test_its_own_description(intruder: ReplicaStatus, host: Host) -> None:
    """The file that its launch was described in is not for it: it names the host's places."""
    spec = host.home / "replicas" / intruder.instance / "spec.json"
    assert spec.exists()
    with pytest.raises(Refused):
        ask(intruder, f"Path({str(spec)!r}).read_text()")


def test_neighbours_processes(victim: ReplicaStatus, intruder: ReplicaStatus) -> None:
    """It sees its own processes alone, and can signal none of the machine's others."""
    seen = ask(intruder, "[int(name) for name in os.listdir('/proc') if name.isdigit()]")
    assert len(seen) < 10
    for pid in (_pid_of(victim), os.getpid(), psutil.Process().ppid()):
        if pid in seen:
            continue
        with pytest.raises(Refused, match=r"ProcessLookupError|PermissionError"):
            ask(intruder, f"os.kill({pid}, 0)")
        with pytest.raises(Refused):
            ask(intruder, f"Path('/proc/{pid}/environ').read_bytes()")
    lines = ask(intruder, "subprocess.run(['ps', '-eo', 'args'], capture_output=True).returncode")
    assert isinstance(lines, int)
    environs = ask(
        intruder, "[Path('/proc', n, 'environ').read_text() for n in os.listdir('/proc')"
        " if n.isdigit() and os.access(f'/proc/{n}/environ', os.R_OK)]",
    )  # fmt: skip
    assert not any(_SECRET in environ for environ in environs)


def test_it_is_nobody(intruder: ReplicaStatus) -> None:
    """Not root, without a capability, and with no way back to either."""
    assert ask(intruder, "os.getuid()") != 0
    assert ask(intruder, "os.getgroups()") in ([], [ask(intruder, "os.getgid()")])
    status = ask(intruder, "Path('/proc/self/status').read_text()")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == 0
    assert int(fields["CapBnd"], 16) == 0 or ask(intruder, "os.getuid()") == 1000
    assert fields["NoNewPrivs"] == "1"
    with pytest.raises(Refused):
        ask(intruder, "os.setuid(0)")


@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/usr/planted", "/etc/planted",
        "/etc/passwd", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max",
        "/dev/planted",
    ],
)  # fmt: skip
def test_the_machine_is_not_changed(intruder: ReplicaStatus, path: str) -> None:
    """Neither the kernel's settings nor the system's files nor its own limits."""
    try:
        ask(intruder, f"os.close(os.open({path!r}, os.O_WRONLY | os.O_CREAT))")
    except Refused:
        return
    assert "planted" in path, "the folder may be the app's own"
    assert not Path(path).exists()


def test_a_writable_tree_is_its_own(
    intruder: ReplicaStatus, runtime: Runtime, blog: Tenant, host: Host
) -> None:
    """What a replica writes beside its code is seen by itself alone, and not kept in the image."""
    needs(runtime.describe()["writable_tree"], "overlays don't work here")
    assert ask(intruder, "Path('/app/app.py').write_text('spoiled')") == 7
    source = host.home / "apps" / "blog" / "images" / blog.image / "src" / "app.py"
    assert "spoiled" not in source.read_text()
    assert blog.run("grep -c spoiled app.py")[1] == ["0"]


def test_temporary_files_are_its_own(
    victim: ReplicaStatus, intruder: ReplicaStatus, tmp_path: Path
) -> None:
    """/tmp and /dev/shm are each replica's own."""
    for folder in ("/tmp", "/dev/shm"):
        ask(victim, f"Path({folder!r}, 'mine').write_text('x')")
        assert "mine" not in ask(intruder, f"os.listdir({folder!r})")
        assert not Path(folder, "mine").exists()
    assert not ask(intruder, f"Path({str(tmp_path)!r}).exists()")


def test_one_offs_are_isolated_too(host: Host, blog: Tenant, victim: ReplicaStatus) -> None:
    """A command of `run` has no more rights than a replica."""
    command = f"id -u; cat {host.home}/logs/*; ls {host.home}/apps {host.home}/logs"
    status, said = blog.run(f"{command}; ls -d /proc/[0-9]* | wc -l")
    assert status == 0
    assert said[0] != "0"
    assert not any("blog2" in line or _SECRET in line for line in said)
    assert int(said[-1]) < 10


def test_too_much_memory(runtime: Runtime, blog: Tenant, victim: ReplicaStatus) -> None:
    """What goes over its limit is killed and says so; its neighbour is none the worse."""
    _needs_cgroups(runtime)
    [hog] = blog.start(release=2, limits=Limits(memory=80_000_000, cpus=1.0))
    [stats] = [one for one in runtime.stats() if one.instance == hog.instance]
    assert stats.memory_limit is not None
    assert abs(stats.memory_limit - 80_000_000) < 8192
    with contextlib.suppress(OSError, http.client.HTTPException):
        ask(hog, "len(b'x' * 300_000_000)")

    def reported() -> bool:
        [found] = [one for one in runtime.replicas("blog") if one.instance == hog.instance]
        return found.has_exited and "out of memory" in found.detail

    eventually(reported)
    answers(hog)
    assert ask(victim, "True")


def test_limits_go_with_what_they_held(runtime: Runtime, blog: Tenant) -> None:
    """Of replicas that have ended no group is left, however busy they were."""
    _needs_cgroups(runtime)
    root = Path("/sys/fs/cgroup")
    replicas = blog.start(4, release=4)
    for replica in replicas:
        assert [
            *root.glob(f"kurama/{replica.instance}"),
            *root.glob(f"*/kurama/{replica.instance}"),
        ]
        ask(replica, "[subprocess.Popen(['sleep', '60']).pid for _ in range(20)]")
    runtime.stop([replica.instance for replica in replicas], wait=True)
    for replica in replicas:
        assert not list(root.glob(f"kurama/{replica.instance}"))
        assert not list(root.glob(f"*/kurama/{replica.instance}"))


def test_limits_go_with_a_one_off(runtime: Runtime, blog: Tenant) -> None:
    """Also when it is ended in the middle, with children that nobody waits for."""
    _needs_cgroups(runtime)
    stop, groups = threading.Event(), set[str]()
    command = "for i in 1 2 3 4 5 6 7 8; do setsid sleep 61.375 & done; echo up; sleep 61.375"

    def look() -> bool:
        for process in psutil.process_iter(["cmdline"]):
            if process.info["cmdline"] == ["sleep", "61.375"]:
                lines = Path("/proc", str(process.pid), "cgroup").read_text().splitlines()
                groups.update(line.rpartition("/")[2] for line in lines if "/kurama/" in line)
        return bool(groups)

    def output(_line: str) -> None:
        eventually(look)
        stop.set()

    with pytest.raises(Fault):
        runtime.run(blog.image, "blog", command, {}, Limits(10**8, 1.0), output, stop)
    assert len(groups) == 1
    [name] = groups
    assert not list(Path("/sys/fs/cgroup").glob(f"*/kurama/{name}"))
    assert not Path("/sys/fs/cgroup/kurama", name).exists()


def test_too_many_processes(runtime: Runtime, blog: Tenant, victim: ReplicaStatus) -> None:
    """A fork bomb ends at the replica's own bound."""
    _needs_cgroups(runtime)
    [bomb] = blog.start(release=3)
    code = """subprocess.run(["sh", "-c",
        "i=0; while [ $i -lt 1500 ]; do sleep 9 >/dev/null 2>&1 & i=$((i+1)); done; echo all"],
        capture_output=True, text=True, timeout=15).stdout"""
    assert "all" not in ask(bomb, code)
    assert ask(victim, "subprocess.run(['true']).returncode") == 0
    end(bomb)


def _pid_of(replica: ReplicaStatus) -> int:
    """The process that listens on the replica's port, as the host numbers it."""
    listening = {
        tuple(connection.laddr)[1]: connection.pid
        for connection in psutil.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.pid
    }
    return listening[replica.port]


_CURIOUS = """
import os, pathlib, setuptools
home = pathlib.Path({home!r})
seen = [p.name for p in home.rglob("*") if p.name in ("image.json", "replica.json")]
app = home / "apps" / "blog"
for link in ("images/planted", "planted", "data", "images", "work"):
    try:
        (app / link).symlink_to("/etc")
    except OSError:
        pass
for path in (app / "venvs").glob("*/lib/python*/site-packages/kurama.pth"):
    path.unlink()
    path.symlink_to({victim!r})
print("SEEN", seen)
setuptools.setup(name="curious", version="1")
"""


def test_a_build_cannot_change_what_is_believed_about_images(
    host: Host, blog: Tenant, tmp_path: Path
) -> None:
    """What an image shows its processes comes from files that no build can reach, nor link to."""
    first = blog.image
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    curious = _CURIOUS.format(home=str(host.home), victim=str(victim))
    requirements = f"setuptools\n-e .  # {os.getpid()}\n"
    blog.output.clear()
    try:
        blog.build(
            {"setup.py": curious + "raise SystemExit(1)\n", "requirements.txt": requirements}
        )
    except Fault:
        pass
    else:
        pytest.fail("its setup.py was not run")
    assert any("SEEN []" in line for line in blog.output), blog.output
    # What it could make is its jail's own, and gone with it.
    assert not [path for path in (host.home / "apps" / "blog").iterdir() if path.is_symlink()]
    assert not (host.home / "apps" / "blog" / "images" / "planted").is_symlink()
    blog.build({"setup.py": curious, "requirements.txt": requirements})
    assert victim.read_text() == "as it was"
    second, blog.image = blog.image, first
    assert blog.run("echo one") == (0, ["one"])
    blog.image = second
    assert blog.run("echo two") == (0, ["two"])
    blog.image = first
