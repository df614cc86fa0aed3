"""What processes do: fork, end, get signals, close their stdout, point it elsewhere."""

from pathlib import Path

import pytest

from tests.integration.flask_kurama.scripts import run


def test_what_waits_is_written_at_the_end() -> None:
    """Patient records that nobody pushed out."""
    ran = run("for _ in range(50): ask()")
    assert ran.stdout == ["GET / 200"] * 50
    assert (ran.status, ran.stderr) == (0, "")


def test_a_forked_process_writes_its_own_records_only() -> None:
    """What waits in the parent is the parent's; the child has threads of its own."""
    ran = run("""
        for _ in range(50): ask()
        child = os.fork()
        log.warning("child" if not child else "parent")
        if not child:
            for _ in range(30): ask()
            names = sorted(thread.name for thread in threading.enumerate())
            log.warning(" ".join(names))
            sys.exit()
        os.waitpid(child, 0)
        for _ in range(10): ask()
    """)
    assert ran.stdout.count("GET / 200") == 90
    assert sorted(set(ran.stdout) - {"GET / 200"}) == [
        "MainThread kurama-sampler kurama-stream",
        "child",
        "parent",
    ]
    assert ran.stderr == ""


def test_an_interpreter_that_logs_nothing_has_no_threads() -> None:
    """An application that is only imported, as by a command line, costs none."""
    assert run("print(threading.active_count())").stdout == ["1"]


def test_prints_and_records_keep_their_order() -> None:
    """Although Python would keep 8 KB of prints back, in a pipe. All of it fits into that pipe."""
    ran = run("""
        for number in range(100):
            print(f"print {number}")
            log.warning("log %d", number)
            sys.stderr.flush()
    """)
    assert ran.stdout == [f"{kind} {n}" for n in range(100) for kind in ("print", "log")]


@pytest.mark.parametrize("flags", [[], ["-u"]])
def test_prints_of_several_processes_are_whole_lines(flags: list[str]) -> None:
    """Unbuffered, Python would write a line and its newline apart."""
    ran = run(
        """
        children = []
        for name in "abcd":
            child = os.fork()
            if not child:
                for number in range(300):
                    print("print", name, number)
                    log.warning("log %s %d", name, number)
                sys.exit()
            children.append(child)
        for child in children: os.waitpid(child, 0)
        """,
        flags=flags,
    )
    expected = [
        f"{kind} {name} {n}" for name in "abcd" for n in range(300) for kind in ("print", "log")
    ]
    assert sorted(ran.stdout) == sorted(expected)


def test_a_signal_handler_may_log_wherever_it_comes() -> None:
    """Thousands of signals while the same thread logs: no deadlock, nothing lost."""
    ran = run("""
        count = 0
        def handler(number, frame):
            global count
            count += 1
            log.warning("handler")
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        until = time.monotonic() + 2
        said = 0
        while time.monotonic() < until:
            said += 1
            log.warning("main")
            ask()
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(said, count)
    """)
    said, count = map(int, next(line for line in ran.stdout if line[0].isdigit()).split())
    assert count > 100
    assert ran.stdout.count("main") == said
    assert ran.stdout.count("GET / 200") == said
    assert ran.stdout.count("handler") == count
    assert ran.stderr == ""


def test_threads_log_at_once() -> None:
    """Each line whole, each there."""
    ran = run("""
        def work(name):
            for number in range(500):
                log.warning("%s %d %s", name, number, "x" * 6000)
        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """)
    expected = {f"{name} {n} {'x' * 6000}" for name in "abcd" for n in range(500)}
    told = [line for line in ran.stdout if "were dropped" in line]
    dropped = sum(int(line.split()[0]) for line in told)
    whole = set(ran.stdout) - set(told)
    assert whole <= expected
    assert len(whole) + dropped == 2000


def test_the_descriptor_may_be_pointed_elsewhere(tmp_path: Path) -> None:
    """Records go where prints go."""
    ran = run(f"""
        log.warning("one")
        file = os.open({str(tmp_path / "file")!r}, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 1)
        print("print")
        log.warning("two")
        for _ in range(30): ask()
    """)
    assert ran.stdout == ["one"]
    text = (tmp_path / "file").read_text()
    assert text.startswith("print\n")
    assert text.count("\n") == 32


def test_a_closed_stdout_is_no_reason_to_fail() -> None:
    """As daemons have it: the application goes on, and nothing of ours is written anywhere else."""
    ran = run("""
        ask()
        log.warning("one")
        os.close(1)
        other = os.open("/dev/null", os.O_RDONLY)
        assert ask().status_code == 200
        log.warning("two")
        os.close(other)
        assert ask().status_code == 200
        sys.stdout = None
    """)
    assert ran.stdout == ["GET / 200", "one"]
    assert ran.status == 0


def test_a_stream_of_the_applications_own_is_its_own() -> None:
    """sys.stderr replaced by a string: a handler that writes there is no console."""
    ran = run("""
        import io
        text = sys.stderr = io.StringIO()
        handler = logging.StreamHandler()
        log.addHandler(handler)
        log.propagate = False
        log.warning("to the string")
        sys.stderr = sys.__stderr__
        print(repr(text.getvalue()))
    """)
    assert ran.stdout == [repr("to the string\n")]


def test_uncaught_errors_do_not_come_from_us_at_exit() -> None:
    """Logging while the interpreter ends: in atexit, in destructors, in daemon threads."""
    ran = run("""
        import atexit
        class Late:
            def __del__(self, log=log): log.warning("destructor")
        late = Late()
        atexit.register(lambda: log.warning("atexit"))
        def chatter():
            while True: log.warning("daemon"); time.sleep(0.001)
        threading.Thread(target=chatter, daemon=True).start()
        time.sleep(0.05)
    """)
    assert ran.status == 0
    assert "atexit" in ran.stdout
    assert ran.stderr == ""


def test_multiprocessing_and_subprocesses_are_not_disturbed() -> None:
    """Pools fork, children of exec get no descriptor of ours."""
    ran = run("""
        import multiprocessing, subprocess
        ask()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(log.warning, ["a", "b", "c"])
            pool.close(); pool.join()
        listed = subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True).stdout
        print(listed.split())
    """)
    assert sorted(ran.stdout) == ["GET / 200", "['0', '1', '2', '3']", "a", "b", "c"]
