"""What every runtime must do, whatever it keeps its replicas in."""

import socket
import threading
from collections.abc import Iterator

import psutil
import pytest

from agent.faults import Fault, FaultCode
from agent.runtime import Launch, Limits, Runtime
from tests.conftest import eventually
from tests.contract.conftest import LOG_BUFFER, Host
from tests.contract.tenant import LIMITS, Tenant, answers, ask, chunks_of, end, is_up, read_until

_SLEEP = ["sleep", "301.25"]


@pytest.fixture(autouse=True)
def _nothing_left(blog: Tenant, blog2: Tenant) -> Iterator[None]:
    """Each test begins and ends with nothing running."""
    yield
    blog.clear()
    blog2.clear()


def test_a_build_makes_an_image(runtime: Runtime, blog: Tenant) -> None:
    """It names its processes and its Python; the second build installs nothing again."""
    image = blog.build()
    assert dict(image.processes) == {"web": "python app.py", "worker": "python app.py"}
    assert image.release_command is None
    assert image.python_version.count(".") == 2
    # Unless images must not share: see agent/sandbox/builder.py.
    assert image.reused_dependencies == (runtime.describe()["isolation"] != "none")


def test_a_tree_that_cannot_be_built(runtime: Runtime, blog: Tenant) -> None:
    """Preflight and build refuse it with the same fault, and it leaves no image."""
    for act in (
        lambda: blog.build({"Procfile": "worker: python app.py\n"}),
        lambda: runtime.preflight("blog", blog.folder, {}),
    ):
        with pytest.raises(Fault) as caught:
            act()
        assert caught.value.code == FaultCode.PREFLIGHT_FAILED
        assert caught.value.hint


def test_replicas_answer_on_their_ports(blog: Tenant) -> None:
    """Each has a port of its own, its number, the config, and the platform's own variables."""
    replicas = blog.start(3, release=7, environment={"COLOUR": "blau ü", "PORT": "1"}, first=2)
    assert [replica.number for replica in replicas] == [2, 3, 4]
    assert len({replica.port for replica in replicas}) == 3
    for replica in replicas:
        found = ask(replica, "dict(os.environ)")
        assert found["COLOUR"] == "blau ü"
        assert found["PORT"] == str(replica.port)
        assert found["KURAMA_REPLICA"] == f"web.{replica.number}"
        assert (found["KURAMA_APP"], found["KURAMA_RELEASE"]) == ("blog", "v7")


def test_who_listens_is_known(runtime: Runtime, blog: Tenant) -> None:
    """A replica on its own port; not one whose port another program has taken first."""
    (replica,) = blog.start()
    assert runtime.listens(replica.instance)
    usual, idle = blog.image, blog.build({"Procfile": "web: sleep 600\n"}).reference
    blog.image = usual
    (silent,) = runtime.start(Launch("blog", 2, "web", idle, 1, LIMITS, {}, grace_s=1.0))
    with socket.create_server((silent.host, silent.port)):
        eventually(lambda: [one.state for one in runtime.replicas("blog")] == ["running"] * 2)
        assert not runtime.listens(silent.instance)
    assert not runtime.listens("blog.v9.web.1.000000")


def test_what_runs_is_listed(runtime: Runtime, blog: Tenant, blog2: Tenant) -> None:
    """By app or all of it, as running once it has run for a moment, with when it began."""
    mine, theirs = blog.start(2, release=3), blog2.start()
    listed = runtime.replicas("blog")
    assert {r.instance for r in listed} == {r.instance for r in mine}
    assert {(r.app, r.release, r.process) for r in listed} == {("blog", 3, "web")}
    everything = {r.instance for r in runtime.replicas()}
    assert everything == {r.instance for r in (*mine, *theirs)}

    def all_run() -> bool:
        return all(r.state == "running" and r.started_at for r in runtime.replicas())

    eventually(all_run)
    assert not any(r.has_exited or r.detail for r in runtime.replicas())


def test_an_unknown_image(blog: Tenant) -> None:
    """It is a fault with a code of its own, and nothing is started."""
    with pytest.raises(Fault) as caught:
        blog.start(image="0123456789ab")
    assert caught.value.code == FaultCode.NO_SUCH_IMAGE
    assert blog.instances == []


def test_a_process_that_the_image_has_not(blog: Tenant) -> None:
    """It is a fault, and nothing is started."""
    with pytest.raises(Fault):
        blog.start(process="clock")
    assert blog.instances == []


def test_logs_resume_from_a_cursor(runtime: Runtime, blog: Tenant) -> None:
    """Whoever reads is replaced again and again: no line is lost, none comes twice."""
    [replica] = blog.start()
    cursor, found = "", list[str]()
    for turn in range(6):
        first = turn * 50
        ask(replica, f"[print('line', {first} + n, flush=True) for n in range(50)] and 0")
        follower = runtime.follow({replica.instance: cursor} if cursor else {})
        lines, cursor = read_until(follower, replica.instance, f"line {first + 49}")
        follower.close()
        found += lines
    assert found == ["started web.1", *(f"line {n}" for n in range(300))]


def test_logs_while_their_files_are_rotated(runtime: Runtime, blog: Tenant) -> None:
    """Several times the buffer passes through it, and a reader who keeps up misses nothing."""
    [replica] = blog.start()
    follower = runtime.follow({})
    found: list[str] = []
    count = LOG_BUFFER // 2000
    for turn in range(6):
        ask(replica, f"[print(f'{{n:06}}' + 'x' * 993) for n in range({count})] and 0")

        def read() -> bool:
            for chunk in chunks_of(follower, replica.instance):
                assert not chunk.gap
                assert len(chunk.lines) == len(chunk.offsets)
                found.extend(line[:6] for line in chunk.lines if line.endswith("x"))
            return len(found) >= (turn + 1) * count  # noqa: B023 - called in this turn only

        eventually(read, 15.0, "what was printed in one turn")
    follower.close()
    assert found == 6 * [f"{n:06}" for n in range(count)]


def test_output_that_is_given_up_is_told(runtime: Runtime, blog: Tenant) -> None:
    """With nobody reading, the buffer's bound holds; the newest stays, and a cursor tells a gap."""
    [replica] = blog.start()
    follower = runtime.follow({})
    _, cursor = read_until(follower, replica.instance, "started web.1")
    follower.close()
    count = 2 * LOG_BUFFER // 1000
    ask(replica, f"[print(f'{{n:06}}' + 'x' * 993) for n in range({count})] and 0")
    eventually(lambda: runtime.tail(replica.instance, 1)[0][:6] == f"{count - 1:06}")
    late = runtime.follow({replica.instance: cursor})
    [first] = chunks_of(late, replica.instance)
    late.close()
    assert first.gap
    # A file may begin with the end of a line: the first one doesn't count.
    assert int(first.lines[1][:6]) > 0


def test_odd_bytes_in_the_output(runtime: Runtime, blog: Tenant) -> None:
    """What is not UTF-8, a NUL, a line without end: the lines beside it come as they are."""
    [replica] = blog.start()
    ask(replica, r"os.write(1, b'\xff\xfe\x00odd\n' + b'y' * 200_000 + b'\nlast\n')")
    follower = runtime.follow({})
    lines, _ = read_until(follower, replica.instance, "last")
    follower.close()
    assert "\ufffd\ufffd\0odd" in lines
    assert any(line.startswith("yyy") for line in lines)


def test_the_end_of_the_output(runtime: Runtime, blog: Tenant) -> None:
    """The last words of a replica that was stopped come, then that it has ended; then they go."""
    [replica] = blog.start()
    follower = runtime.follow({})
    ask(replica, "os.write(1, b'no newline') and print('after it', flush=True)")
    blog.clear()
    lines: list[str] = []

    def ended() -> bool:
        chunks = chunks_of(follower, replica.instance)
        lines.extend(line for chunk in chunks for line in chunk.lines)
        return any(chunk.ended for chunk in chunks)

    eventually(ended)
    follower.close()
    assert lines == ["started web.1", "no newlineafter it", "SIGTERM seen"]
    assert runtime.tail(replica.instance, 2) == lines[1:]
    runtime.drop_logs([replica.instance])
    assert runtime.tail(replica.instance, 2) == []


def test_logs_of_what_runs_are_not_dropped(runtime: Runtime, blog: Tenant) -> None:
    """Dropping is for what is gone."""
    [replica] = blog.start()
    eventually(lambda: runtime.tail(replica.instance, 5) == ["started web.1"])
    runtime.drop_logs([replica.instance])
    assert runtime.tail(replica.instance, 5) == ["started web.1"]


def test_stats(runtime: Runtime, blog: Tenant) -> None:
    """CPU time that grows with use, and memory in bytes, of each replica by its name."""
    replicas = blog.start(2)

    def of(instance: str) -> tuple[float, int]:
        [one] = [one for one in runtime.stats() if one.instance == instance]
        assert one.cpu_s is not None
        assert one.memory is not None
        return one.cpu_s, one.memory

    before, held = of(replicas[0].instance)
    idle, _ = of(replicas[1].instance)
    ask(replicas[0], "globals().update(kept=b'x' * 50_000_000) or sum(range(10_000_000))")
    after, more = of(replicas[0].instance)
    assert after - before > 0.05
    assert more - held > 40_000_000
    assert of(replicas[1].instance)[0] - idle < after - before


def test_stop_is_polite_first(runtime: Runtime, blog: Tenant) -> None:
    """SIGTERM reaches the app itself; when stop returns nothing answers and nothing is listed."""
    [replica] = blog.start(grace_s=5)
    runtime.stop([replica.instance], wait=True)
    assert not is_up(replica)
    assert blog.instances == []
    assert runtime.tail(replica.instance, 1) == ["SIGTERM seen"]


def test_stop_kills_what_does_not_end(runtime: Runtime, blog: Tenant) -> None:
    """After its grace, children included; meanwhile it is listed as stopping."""
    [replica] = blog.start(grace_s=1, environment={"STUBBORN": "1"})
    ask(replica, "subprocess.Popen(['sh', '-c', 'trap \"\" TERM; sleep 300']) and 0")
    runtime.stop([replica.instance], wait=False)
    assert [r.state for r in runtime.replicas("blog")] == ["stopping"]
    eventually(lambda: blog.instances == [], 15.0)
    assert not is_up(replica)
    assert runtime.tail(replica.instance, 1) == ["SIGTERM seen"]


def test_stop_waits_for_open_requests(runtime: Runtime, blog: Tenant) -> None:
    """A request that is under way is answered before its replica hears of its end."""
    [replica] = blog.start(grace_s=10)
    answer: list[object] = []
    code = "print('begun', flush=True) or time.sleep(1) or 'served'"
    client = threading.Thread(target=lambda: answer.append(ask(replica, code)))
    client.start()
    eventually(lambda: "begun" in runtime.tail(replica.instance, 1))
    runtime.stop([replica.instance], wait=True)
    client.join(10)
    assert answer == ["served"]


def test_what_is_gone_can_be_stopped_again(runtime: Runtime, blog: Tenant) -> None:
    """Stopping twice, or what never was, is no error."""
    [replica] = blog.start()
    runtime.stop([replica.instance], wait=True)
    runtime.stop([replica.instance, "blog.v1.web.9.000000"], wait=True)


def test_a_crashed_replica_is_started_again(runtime: Runtime, blog: Tenant) -> None:
    """On the same port, under the same name, and it says how the one before ended."""
    [replica] = blog.start()
    eventually(lambda: runtime.replicas("blog")[0].state == "running")
    first = ask(replica, "print('crashing', flush=True) or repr(time.time_ns())")
    end(replica)
    answers(replica)
    [again] = runtime.replicas("blog")
    assert (again.instance, again.port) == (replica.instance, replica.port)
    assert again.has_exited
    assert "ended" in again.detail
    assert int(ask(replica, "repr(time.time_ns())")) > int(first)
    said = ["crashing", "web.1 ended with status 3", "started web.1"]
    assert runtime.tail(replica.instance, 3) == said


def test_run(blog: Tenant) -> None:
    """A one-off's output, line by line, with its config and its status; both streams."""
    status, said = blog.run("echo $COLOUR; ls app.py; echo oops >&2; exit 7", COLOUR="blue")
    assert status == 7
    assert said == ["blue", "app.py", "oops"]
    assert blog.run("python -c 'import sys; print(sys.prefix != sys.base_prefix)'") == (0, ["True"])


def test_run_is_cancelled(runtime: Runtime, blog: Tenant) -> None:
    """Its processes end with it."""
    stop, said = threading.Event(), list[str]()
    faults: list[Fault] = []

    def run() -> None:
        command = f"{' '.join(_SLEEP)} & echo up; wait"
        try:
            runtime.run(blog.image, "blog", command, {}, Limits(10**8, 1), said.append, stop)
        except Fault as fault:
            faults.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: said)
    stop.set()
    thread.join(15)
    assert [fault.code for fault in faults] == [FaultCode.COMMAND_FAILED]
    left = [p.pid for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == _SLEEP]
    assert left == []


def test_data_outlives_releases_and_trees_do_not(blog: Tenant) -> None:
    """What is written to the data folder is there for every replica; the tree is each one's own."""
    first, second = blog.start(2)
    write = "(Path(os.environ['KURAMA_DATA_DIR']) / 'kept').write_text('yes')"
    assert ask(first, write) == 3
    read = "(Path(os.environ['KURAMA_DATA_DIR']) / 'kept').read_text()"
    assert ask(second, read) == "yes"
    blog.clear()
    [third] = blog.start(release=2)
    assert ask(third, read) == "yes"
    assert blog.run("cat $KURAMA_DATA_DIR/kept")[1] == ["yes"]


def test_a_name_that_begins_like_anothers(runtime: Runtime, blog: Tenant, blog2: Tenant) -> None:
    """Stopping, pruning and dropping what is blog's never touches blog2's, nor v1 v10's."""
    [mine] = blog.start(release=1)
    [other_release] = blog.start(release=10)
    [theirs] = blog2.start(release=1)
    runtime.stop([mine.instance], wait=True)
    runtime.drop_logs([mine.instance])
    runtime.prune("blog", [])
    assert is_up(theirs)
    assert is_up(other_release)
    assert runtime.tail(theirs.instance, 1) == ["started web.1"]
    assert blog2.run("true") == (0, [])


def test_an_app_is_removed(runtime: Runtime, blog: Tenant, blog2: Tenant) -> None:
    """All of it goes, its image and data too; an app with a longer name stays."""
    gone = Tenant(runtime, "blo", blog.folder)
    gone.build()
    [replica], [theirs] = gone.start(), blog2.start()
    ask(replica, "(Path(os.environ['KURAMA_DATA_DIR']) / 'kept').write_text('yes')")
    ask(replica, "os.makedirs(os.path.join(os.environ['KURAMA_DATA_DIR'], 'shut/inner'))")
    ask(replica, "os.chmod(os.path.join(os.environ['KURAMA_DATA_DIR'], 'shut'), 0)")
    runtime.remove("blo")
    assert not is_up(replica)
    assert gone.instances == []
    with pytest.raises(Fault):
        gone.start()
    assert is_up(theirs)
    gone.build()
    assert gone.run("ls $KURAMA_DATA_DIR") == (0, [])
    runtime.remove("blo")


def test_a_new_agent_finds_what_runs(host: Host, blog: Tenant) -> None:
    """The same replicas, in the same processes, nothing twice; it can go on with all of them."""
    replicas = blog.start(2)
    began = [ask(replica, "Path('/proc/self/stat').read_text()") for replica in replicas]
    agents = [host.agent() for _ in range(2)]
    for agent in agents:
        found = {replica.instance for replica in agent.replicas()}
        assert found == {replica.instance for replica in replicas}
    again = [ask(replica, "Path('/proc/self/stat').read_text()") for replica in replicas]
    assert [stat.split()[21] for stat in again] == [stat.split()[21] for stat in began]
    for replica in replicas:
        assert agents[0].tail(replica.instance, 9) == [f"started web.{replica.number}"]
    agents[1].stop([replica.instance for replica in replicas], wait=True)
    assert agents[0].replicas() == []


def test_a_stop_that_was_interrupted_is_taken_up(host: Host, blog: Tenant) -> None:
    """An agent that ends before its stop is done leaves the replica as stopping, for the next."""
    [replica] = blog.start(grace_s=20, environment={"STUBBORN": "1"})
    host.agent().stop([replica.instance], wait=False)
    other = host.agent()
    assert [r.state for r in other.replicas()] == ["stopping"]
    end(replica)
    eventually(lambda: other.replicas() == [], 15.0)


def test_a_shutdown_and_a_new_start(host: Host, blog: Tenant) -> None:
    """As at a reboot: everything stops, and what is meant to run is back with the next agent."""
    replicas = blog.start(2)
    host.agent().shutdown()
    assert not any(is_up(replica) for replica in replicas)
    found = host.agent().replicas()
    assert {r.instance for r in found} == {r.instance for r in replicas}
    for replica in replicas:
        answers(replica)


def test_prune(runtime: Runtime, blog: Tenant) -> None:
    """Images that are kept or in use stay; the others are gone, and say so."""
    old, used, kept = (blog.build().reference for _ in range(3))
    [replica] = blog.start(image=used)
    assert old in runtime.prune("blog", [kept])
    assert runtime.prune("blog", [kept]) == []
    with pytest.raises(Fault) as caught:
        blog.start(image=old)
    assert caught.value.code == FaultCode.NO_SUCH_IMAGE
    assert is_up(replica)
    assert blog.run("true") == (0, [])
