"""The percentages: whose they are, and what they are when nothing is known."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flask_kurama.cgroup import CpuUse
from flask_kurama.sampler import Host, Sampler


class Source:
    """Limits or a host that answer what they are told."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def _answer(self, name: str) -> Any:
        answer = self.answers.get(name)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cpu(self) -> CpuUse | None:
        return cast("CpuUse | None", self._answer("cpu"))

    def memory_percent(self) -> float | None:
        return cast("float | None", self._answer("memory"))

    def swap_percent(self) -> float | None:
        return cast("float | None", self._answer("swap"))

    def disk_percent(self) -> float | None:
        return cast("float | None", self._answer("disk"))


class Scene:
    """A sampler, what it reads, and a clock."""

    def __init__(self, limits: dict[str, Any], host: dict[str, Any]) -> None:
        self.limits, self.host, self.now = Source(**limits), Source(**host), 100.0
        self.sampler = Sampler(self.limits, self.host, lambda: self.now)

    def tick(self, after: float = 0, **limits: Any) -> dict[str, float | None]:
        """Let time pass and the limits' answers change; the sample then."""
        self.now += after
        self.limits.answers.update(limits)
        self.sampler.tick()
        return cast("dict[str, float | None]", json.loads(f"{{{self.sampler.load}}}"))


HOST = {"cpu": CpuUse(1000, 4), "memory": 11.11, "swap": 22.22, "disk": 33.33}


def test_before_the_first_sample_all_is_null() -> None:
    """And the text can stand in a record at once."""
    assert json.loads(f"{{{Scene({}, {}).sampler.load}}}") == {
        "cpu_percent": None,
        "disk_percent": None,
        "swap_percent": None,
        "memory_percent": None,
    }


def test_without_limits_the_host_answers() -> None:
    """CPU over all CPUs since the last tick; the rest to a tenth."""
    scene = Scene({}, HOST)
    assert scene.tick() == {
        "cpu_percent": None,
        "disk_percent": 33.3,
        "swap_percent": 22.2,
        "memory_percent": 11.1,
    }
    scene.host.answers["cpu"] = CpuUse(1001, 4)
    assert scene.tick(after=1)["cpu_percent"] == 25


def test_with_limits_they_are_the_shares_of_the_limits() -> None:
    """A quarter of a second of CPU in one second is half of half a CPU."""
    scene = Scene({"cpu": CpuUse(5, 0.5), "memory": 44.0, "swap": 0.0}, HOST)
    assert scene.tick()["cpu_percent"] is None
    assert scene.tick(after=1, cpu=CpuUse(5.25, 0.5)) == {
        "cpu_percent": 50,
        "disk_percent": 33.3,
        "swap_percent": 0.0,
        "memory_percent": 44.0,
    }


def test_a_longer_tick_is_divided_by_its_length() -> None:
    """A busy process may come late."""
    scene = Scene({"cpu": CpuUse(5, 2)}, HOST)
    scene.tick()
    assert scene.tick(after=4, cpu=CpuUse(9, 2))["cpu_percent"] == 50


def test_a_counter_that_goes_back_is_missing_data() -> None:
    """Not zero, and not negative; the tick after has data again."""
    scene = Scene({"cpu": CpuUse(5, 1)}, HOST)
    scene.tick()
    assert scene.tick(after=1, cpu=CpuUse(4, 1))["cpu_percent"] is None
    assert scene.tick(after=1, cpu=CpuUse(4.5, 1))["cpu_percent"] == 50


def test_a_clock_that_stands_still_is_missing_data() -> None:
    """Two ticks at one time say nothing."""
    scene = Scene({"cpu": CpuUse(5, 1)}, HOST)
    scene.tick()
    assert scene.tick(after=0)["cpu_percent"] is None


def test_more_than_the_quota_is_100_percent() -> None:
    """Unused time is carried into the next period."""
    scene = Scene({"cpu": CpuUse(5, 1)}, HOST)
    scene.tick()
    assert scene.tick(after=1, cpu=CpuUse(6.1, 1))["cpu_percent"] == 100


def test_a_new_limit_begins_a_new_series() -> None:
    """The group's counter and the host's have nothing to do with each other."""
    scene = Scene({}, HOST)
    scene.tick()
    assert scene.tick(after=1, cpu=CpuUse(2000, 1))["cpu_percent"] is None
    assert scene.tick(after=1, cpu=CpuUse(2000.5, 1))["cpu_percent"] == 50


def test_after_a_fork_the_series_begins_anew() -> None:
    """What the parent read is not the child's beginning."""
    scene = Scene({"cpu": CpuUse(5, 1)}, HOST)
    scene.tick()
    scene.sampler.forget()
    assert scene.tick(after=1, cpu=CpuUse(5.5, 1))["cpu_percent"] is None


@pytest.mark.parametrize("fault", [OSError(), ValueError(), KeyError(), RuntimeError()])
def test_what_cannot_be_read_is_null_and_the_rest_is_there(fault: Exception) -> None:
    """A /proc that is not mounted costs its own fields only."""
    scene = Scene({"memory": fault, "cpu": fault}, HOST | {"disk": fault})
    assert scene.tick() == {
        "cpu_percent": None,
        "disk_percent": None,
        "swap_percent": 22.2,
        "memory_percent": 11.1,
    }


def test_without_psutil_the_host_says_nothing() -> None:
    """The library works all the same."""
    host = Host(None)
    assert (host.cpu(), host.memory_percent(), host.swap_percent()) == (None, None, None)


def test_the_hosts_cpu_time_is_what_is_neither_idle_nor_waiting() -> None:
    """And a guest's time, which Linux counts twice, counts once."""

    class Times(tuple[float, ...]):
        user, idle, iowait, guest, guest_nice = 10.0, 50.0, 5.0, 2.0, 1.0

    times = Times((10.0, 50.0, 5.0, 2.0, 1.0))
    psutil = SimpleNamespace(cpu_times=lambda: times, cpu_count=lambda: 2)
    assert Host(cast("Any", psutil)).cpu() == CpuUse(10, 2)


def test_the_disk_is_that_of_the_working_directory(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A percentage; null once the directory is gone."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    percent = Host(None).disk_percent()
    assert percent is not None
    assert 0 < percent < 100
