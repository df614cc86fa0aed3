"""kuramaconfig.yaml: the defaults, what is refused and how, and where secrets come from."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from server import settings
from server.errors import InvalidConfig
from server.settings import Settings, load

ROOT = Path(__file__).resolve().parents[3]
OURS = ROOT / "kuramaconfig.yaml"


def written(folder: Path, text: str) -> Settings:
    """The settings of a folder with this configuration file."""
    (folder / "kuramaconfig.yaml").write_text(text)
    return load({}, folder)


def refused(folder: Path, text: str) -> str:
    """The message with which this configuration is refused, without the file's name."""
    with pytest.raises(InvalidConfig) as caught:
        written(folder, text)
    return caught.value.message.replace(str(folder / "kuramaconfig.yaml"), "FILE")


def leaves(values: dict[str, object]) -> set[str]:
    """The paths of a configuration file's settings."""
    return {
        f"{name}.{key}" if isinstance(section, dict) else name
        for name, section in values.items()
        for key in (section if isinstance(section, dict) else [""])
    }


def test_the_file_names_each_setting_and_no_other() -> None:
    """kuramaconfig.yaml is the manual: what it leaves out nobody finds."""
    assert leaves(yaml.safe_load(OURS.read_text())) == set(settings.paths())


def test_the_files_defaults_are_the_codes() -> None:
    """To copy the file changes nothing."""
    assert load({"KURAMA_CONFIG": str(OURS)}) == load({}, ROOT / "tests")


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    """And no source that they would come from."""
    found = load({}, tmp_path)
    assert found.interface.port == 5001
    assert found.deploy.drain == timedelta(seconds=30)
    assert settings.source({}, tmp_path) is None


def test_a_file_need_only_hold_what_differs(tmp_path: Path) -> None:
    """Other settings of the same section keep their defaults; so does an empty section."""
    found = written(tmp_path, "router:\n  port: 80\nbus:\n")
    assert (found.router.port, found.router.domain, found.bus.port) == (80, "localhost", 5141)


def test_an_empty_file_is_one(tmp_path: Path) -> None:
    """All defaults."""
    assert written(tmp_path, "# nothing\n").interface.port == 5001


def test_kurama_config_names_the_file(tmp_path: Path) -> None:
    """It wins over the folder's."""
    named = tmp_path / "named.yaml"
    named.write_text("interface:\n  port: 1\n")
    (tmp_path / "kuramaconfig.yaml").write_text("interface:\n  port: 2\n")
    assert load({"KURAMA_CONFIG": str(named)}, tmp_path).interface.port == 1
    assert load({}, tmp_path).interface.port == 2
    assert settings.source({"KURAMA_CONFIG": str(named)}, tmp_path) == named


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """And not the defaults, with which another platform might start."""
    with pytest.raises(InvalidConfig, match=r"gone\.yaml, which is not there"):
        load({"KURAMA_CONFIG": str(tmp_path / "gone.yaml")})


def test_kurama_home_wins_over_the_file(tmp_path: Path) -> None:
    """A relative one stands in the folder; `~` is the user's own."""
    (tmp_path / "kuramaconfig.yaml").write_text("home: /elsewhere\n")
    assert load({}, tmp_path).home == Path("/elsewhere")
    assert load({"KURAMA_HOME": "state"}, tmp_path).home == tmp_path / "state"
    assert load({"KURAMA_HOME": "~/k"}, tmp_path).home == Path.home() / "k"


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("router:\n  prt: 80\n", "router.prt", "unknown setting; did you mean router.port?"),
        ("ruter:\n  port: 80\n", "ruter", "unknown setting; did you mean router?"),
        ("zzz: 1\n", "zzz", "unknown setting"),
        ("router: 80\n", "router", "input should be a valid dictionary or instance of Router"),
        ("router:\n- 80\n", "router", "input should be a valid dictionary or instance of Router"),
        ("interface:\n  port: many\n", "interface.port", "input should be a valid integer"),
        ("interface:\n  port: 0\n", "interface.port", "greater than or equal to 1"),
        ("interface:\n  port: 65536\n", "interface.port", "less than or equal to 65535"),
        ("interface:\n  port: yes\n", "interface.port", "should not be yes or no"),
        ("interface:\n  port:\n", "interface.port", "input should be a valid integer"),
        ("interface:\n  host: 5\n", "interface.host", "input should be a valid string"),
        ("deploy:\n  drain: soon\n", "deploy.drain", "'soon' is no length of time: write 30s"),
        ("deploy:\n  drain: 0s\n", "deploy.drain", "input should be greater than"),
        ("deploy:\n  drain: -5\n", "deploy.drain", "input should be greater than"),
        ("deploy:\n  drain: on\n", "deploy.drain", "should not be yes or no"),
        ("deploy:\n  drain: 99999999999w\n", "deploy.drain", "is too long a time"),
        ("deploy:\n  probe_path: health\n", "deploy.probe_path", "should match pattern"),
        ('deploy:\n  probe_path: "/a b"\n', "deploy.probe_path", "should match pattern"),
        ('router:\n  domain: "a b"\n', "router.domain", "should match pattern"),
        ("git:\n  max_push: much\n", "git.max_push", "could not parse value and unit"),
        ("git:\n  max_push: true\n", "git.max_push", "should not be yes or no"),
        ("sandbox:\n  cpus: 0\n", "sandbox.cpus", "input should be greater than 0"),
        ("sandbox:\n  cpus: .inf\n", "sandbox.cpus", "input should be a finite number"),
        ("sandbox:\n  isolation: maybe\n", "sandbox.isolation", "'auto', 'required' or 'off'"),
        ("sandbox:\n  isolation: on\n", "sandbox.isolation", "'auto', 'required' or 'off'"),
        ("sandbox:\n  first_uid: 0\n", "sandbox.first_uid", "greater than or equal to 1000"),
        ("database:\n  connections: 1\n", "database.connections", "greater than or equal to 2"),
        ("home: 5\n", "home", "input is not a valid path"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_path(
    tmp_path: Path, text: str, path: str, says: str
) -> None:
    """FILE: PATH: what it should be, in one line."""
    message = refused(tmp_path, text)
    assert message.startswith(f"FILE: {path}: ")
    assert says in message
    assert "\n" not in message


def test_every_wrong_setting_is_told_at_once(tmp_path: Path) -> None:
    """One line for each."""
    message = refused(tmp_path, "interface:\n  port: x\nrouter:\n  port: y\n")
    assert [line.split(": ")[1] for line in message.splitlines()] == [
        "interface.port",
        "router.port",
    ]


def test_ports_must_be_a_range(tmp_path: Path) -> None:
    """Checked together, as each alone is right."""
    text = "sandbox:\n  first_port: 3000\n  last_port: 2999\n"
    assert "sandbox.first_port: should not be above" in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("router: [80\n", "FILE, line 2, column 1: "),
        ("\tport: 80\n", "FILE, line 1, column 1: "),
        ("just words\n", "FILE: should be sections with settings"),
        ("- 1\n", "FILE: should be sections with settings"),
    ],
)
def test_what_is_no_configuration_at_all_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """With the line, where YAML says it."""
    assert refused(tmp_path, text).startswith(says)


def test_bytes_are_no_configuration(tmp_path: Path) -> None:
    """Neither is a folder."""
    (tmp_path / "kuramaconfig.yaml").write_bytes(b"home: \xff\n")
    with pytest.raises(InvalidConfig, match="it is not UTF-8 text"):
        load({}, tmp_path)


@pytest.mark.parametrize("word", ["off", "'off'", "auto", "required"])
def test_isolation_is_a_word(tmp_path: Path, word: str) -> None:
    """Also where YAML would read `off` as a switch."""
    found = written(tmp_path, f"sandbox:\n  isolation: {word}\n")
    assert found.sandbox.isolation == word.strip("'")


@pytest.mark.parametrize(
    ("written_as", "size"), [("512MB", 512_000_000), ("1MiB", 1_048_576), ("77", 77), (78, 78)]
)
def test_sizes_have_units(tmp_path: Path, written_as: object, size: int) -> None:
    """MB by the thousand, MiB by 1024."""
    assert written(tmp_path, f"git:\n  max_push: {written_as}\n").git.max_push == size


SECRET = "postgresql://kurama:hush@db/kurama"


def test_a_secret_may_stand_in_the_file(tmp_path: Path) -> None:
    """As it is."""
    found = written(tmp_path, f"database:\n  url: {SECRET}\n")
    assert found.database.url.get_secret_value() == SECRET


def test_a_secret_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`env:NAME`; a name that isn't set is refused, with the path."""
    text = "database:\n  url: env:KURAMA_TEST_DATABASE\n"
    monkeypatch.delenv("KURAMA_TEST_DATABASE", raising=False)
    assert "database.url: names the environment variable KURAMA_TEST_DATABASE" in refused(
        tmp_path, text
    )
    monkeypatch.setenv("KURAMA_TEST_DATABASE", SECRET)
    assert written(tmp_path, text).database.url.get_secret_value() == SECRET


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    """`file:PATH`, without the line's end; a file that isn't there is refused, with the path."""
    text = f"bus:\n  url: file:{tmp_path}/bus\n"
    assert "bus.url: names the file" in refused(tmp_path, text)
    (tmp_path / "bus").write_text(f"{SECRET}\n")
    assert written(tmp_path, text).bus.url.get_secret_value() == SECRET


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    """Not by repr, str, or a dump as JSON, nor by the error of another setting."""
    text = f"database:\n  url: {SECRET}\nbus:\n  url: {SECRET}\n"
    found = written(tmp_path, text)
    for shown in (repr(found), str(found), found.model_dump_json(), f"{found.database!r}"):
        assert "hush" not in shown
    assert "hush" not in refused(tmp_path, f"{text}router:\n  port: x\n")
    assert "hush" not in refused(tmp_path, f"database:\n  url: [{SECRET}]\n")


def test_settings_never_change(tmp_path: Path) -> None:
    """What one part reads is what all parts read."""
    found = load({}, tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        found.interface.port = 1


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:5001"),
        ("interface:\n  host: 0.0.0.0\n", "http://127.0.0.1:5001"),
        ("interface:\n  host: 10.0.0.7\n  port: 80\n", "http://10.0.0.7:80"),
        ("interface:\n  url: https://k.example.com/\n", "https://k.example.com"),
    ],
)
def test_where_the_interface_is_reached(tmp_path: Path, text: str, url: str) -> None:
    """`interface.url` wins; an address that means all is reached on loopback."""
    assert written(tmp_path, text).interface_url == url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://shop.localhost:5080"),
        ("router:\n  port: 80\n  domain: apps.example.com\n", "http://shop.apps.example.com"),
    ],
)
def test_where_an_app_is_reached(tmp_path: Path, text: str, url: str) -> None:
    """Port 80 needs no mention."""
    found = written(tmp_path, text)
    assert found.app_url("shop") == url
    assert f"http://{found.app_host('shop')}" == url


def test_sockets_have_room_for_their_names(tmp_path: Path) -> None:
    """A long `home` gets a short folder of its own, always the same one."""
    near = load({"KURAMA_HOME": "/k"}, tmp_path)
    deep = load({"KURAMA_HOME": "/k" * 60}, tmp_path)
    other = load({"KURAMA_HOME": "/m" * 60}, tmp_path)
    assert near.run_dir == Path("/k/run")
    assert len(str(deep.run_dir)) < 76
    assert deep.run_dir == load({"KURAMA_HOME": "/k" * 60}, tmp_path).run_dir != other.run_dir


def test_debugging_is_asked_for_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """KURAMA_DEBUG=1, and nothing else."""
    for value, debugging in (("1", True), ("0", False), ("", False), ("true", False)):
        monkeypatch.setenv("KURAMA_DEBUG", value)
        assert settings.is_debugging() is debugging
