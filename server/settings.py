"""The configuration: kuramaconfig.yaml as one frozen object.

This is the only module of the server that reads the environment.

`kuramaconfig.yaml` in the repository names each setting with its default and its meaning; a test
holds the two together. What must not live here: what a setting is used for.
"""

import difflib
import hashlib
import os
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from server import duration
from server.errors import InvalidConfig

# A path of a unix socket may have 107 bytes; the longest name under it here takes 30.
_LONGEST_SOCKET_FOLDER = 75


def _as_duration(value: object) -> object:
    return duration.parse(value) if isinstance(value, str) else value


def _as_secret(value: object) -> object:
    """Follow `env:NAME` and `file:PATH`, so that no secret need stand in the file itself."""
    if not isinstance(value, str):
        return value
    if value.startswith("env:"):
        name = value.removeprefix("env:")
        if name not in os.environ:
            raise ValueError(f"names the environment variable {name}, which is not set")
        return os.environ[name]
    if value.startswith("file:"):
        path = Path(value.removeprefix("file:")).expanduser()
        try:
            return path.read_text().strip()
        except OSError as error:
            raise ValueError(
                f"names the file {path}, which can't be read: {error.strerror}"
            ) from None
    return value


def _as_word(value: object) -> object:
    """YAML 1.1 reads a bare `off` as a switch; here it is a word."""
    return "off" if value is False else value


Duration = Annotated[timedelta, BeforeValidator(_as_duration), Field(gt=timedelta(0))]
Secret = Annotated[SecretStr, BeforeValidator(_as_secret)]
Port = Annotated[int, Field(ge=1, le=65535)]
PortOrNone = Annotated[int, Field(ge=0, le=65535)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_switches(cls, value: object, info: ValidationInfo) -> object:
        # `port: yes` would be port 1. The one word that YAML takes for a switch is isolation's.
        if isinstance(value, bool) and info.field_name != "isolation":
            raise ValueError("should not be yes or no, on or off, true or false")
        return value


class Interface(_Section):
    """The HTTP API and the git server."""

    host: str = "127.0.0.1"
    port: Port = 5001
    url: str = ""


class Router(_Section):
    """Caddy, which visitors reach."""

    host: str = "127.0.0.1"
    port: Port = 5080
    domain: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")] = "localhost"
    try_for: Duration = timedelta(seconds=3)


class Ingest(_Section):
    """The TCP port that takes records."""

    host: str = "127.0.0.1"
    port: Port = 5140
    max_connections: Annotated[int, Field(ge=1)] = 1000


class Database(_Section):
    """PostgreSQL; an empty url means the embedded one."""

    url: Secret = SecretStr("")
    connections: Annotated[int, Field(ge=2, le=200)] = 10


class Bus(_Section):
    """NATS JetStream; an empty url means the embedded one."""

    url: Secret = SecretStr("")
    port: Port = 5141
    max_bytes: ByteSize = ByteSize(2_000_000_000)


class Admin(_Section):
    """The account that the first start makes."""

    email: str = "admin@localhost"


class Accounts(_Section):
    """Tokens and passwords."""

    token_lifetime: Duration = timedelta(days=90)


class Git(_Section):
    """Pushes."""

    max_push: ByteSize = ByteSize(250_000_000)
    timeout: Duration = timedelta(minutes=30)


class Build(_Section):
    """Builds of images."""

    timeout: Duration = timedelta(minutes=15)
    memory: ByteSize = ByteSize(2_000_000_000)
    keep_images: Annotated[int, Field(ge=2)] = 5
    min_free_disk: ByteSize = ByteSize(500_000_000)


class Deploy(_Section):
    """From a built image to a live release."""

    boot_timeout: Duration = timedelta(seconds=60)
    probe_path: Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$")] = "/"
    drain: Duration = timedelta(seconds=30)
    lock_timeout: Duration = timedelta(minutes=15)
    release_timeout: Duration = timedelta(minutes=10)


class Sandbox(_Section):
    """The runtime that needs no Docker: processes under bubblewrap, kept by supervisord."""

    isolation: Annotated[Literal["auto", "required", "off"], BeforeValidator(_as_word)] = "auto"
    memory: ByteSize = ByteSize(512_000_000)
    cpus: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    first_port: Annotated[int, Field(ge=1024, le=65000)] = 20000
    last_port: Annotated[int, Field(ge=1024, le=65535)] = 29999
    first_uid: Annotated[int, Field(ge=1000)] = 50000
    log_buffer: ByteSize = ByteSize(64_000_000)


class Logs(_Section):
    """The records in PostgreSQL."""

    retention: Duration = timedelta(days=30)


class Settings(_Section):
    """All of kuramaconfig.yaml. `home` is absolute; `source` is the file it came from, or None."""

    home: Path = Path("~/.kurama")
    interface: Interface = Interface()
    router: Router = Router()
    ingest: Ingest = Ingest()
    database: Database = Database()
    bus: Bus = Bus()
    admin: Admin = Admin()
    accounts: Accounts = Accounts()
    git: Git = Git()
    build: Build = Build()
    deploy: Deploy = Deploy()
    sandbox: Sandbox = Sandbox()
    logs: Logs = Logs()

    @property
    def run_dir(self) -> Path:
        """The folder of sockets: under `home`, or a short one of our own where that is too long."""
        wanted = self.home / "run"
        if len(os.fsencode(wanted)) <= _LONGEST_SOCKET_FOLDER:
            return wanted
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"kurama-{os.getuid()}-{digest}"

    @property
    def interface_url(self) -> str:
        """Where the CLI and git reach the interface."""
        return self.interface.url.rstrip("/") or _url(self.interface.host, self.interface.port)

    def app_url(self, app: str) -> str:
        """Where visitors reach `app`."""
        return f"http://{self.app_host(app)}"

    def app_host(self, app: str) -> str:
        """What visitors of `app` send as Host."""
        port = "" if self.router.port == 80 else f":{self.router.port}"
        return f"{app}.{self.router.domain}{port}"


def _url(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
    return f"http://{shown}:{port}"


def load(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Read the configuration that `environment` names (KURAMA_CONFIG, KURAMA_HOME).

    Without KURAMA_CONFIG it is `kuramaconfig.yaml` in `folder` (the current one) where that exists,
    else the defaults. Raises InvalidConfig with the path of each wrong setting.
    """
    environment = os.environ if environment is None else environment
    source_file = source(environment, folder)
    values = _read(source_file) if source_file else {}
    if environment.get("KURAMA_HOME"):
        values = {**values, "home": environment["KURAMA_HOME"]}
    settings = _validated(values, str(source_file or "the defaults"))
    home = settings.home.expanduser()
    return settings.model_copy(update={"home": (folder or Path.cwd()) / home})


def source(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Path | None:
    """The file that `load` reads, absolute, or None where it would take the defaults."""
    environment = os.environ if environment is None else environment
    named = environment.get("KURAMA_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise InvalidConfig(
                f"KURAMA_CONFIG names {path}, which is not there",
                "Unset it, or copy kuramaconfig.yaml to that place.",
            )
        return path.absolute()
    path = (folder or Path.cwd()) / "kuramaconfig.yaml"
    return path.absolute() if path.is_file() else None


def is_debugging() -> bool:
    """Whether somebody wants to see tracebacks: KURAMA_DEBUG=1."""
    return os.environ.get("KURAMA_DEBUG") == "1"


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise InvalidConfig(f"{path} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is not UTF-8 text"
        raise InvalidConfig(f"{path}{place}: {problem}", "The file must be YAML.") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InvalidConfig(f"{path}: should be sections with settings", "See kuramaconfig.yaml.")
    # An empty section means its defaults.
    return {str(key): {} if value is None else value for key, value in values.items()}


def _validated(values: Mapping[str, Any], source: str) -> Settings:
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems = [_problem(dict(item)) for item in error.errors()]
        raise InvalidConfig(
            "\n".join(f"{source}: {problem}" for problem in problems),
            "kuramaconfig.yaml in the repository shows each setting with its default.",
        ) from None
    if settings.sandbox.first_port > settings.sandbox.last_port:
        raise InvalidConfig(f"{source}: sandbox.first_port: should not be above sandbox.last_port")
    _check_ports(settings, source)
    return settings


def _check_ports(settings: Settings, source: str) -> None:
    """Two parts on one port would each look well, and one of them get nothing."""
    seen: dict[int, str] = {}
    for name in ("interface", "router", "ingest", "bus"):
        port = getattr(settings, name).port
        if port in seen:
            raise InvalidConfig(
                f"{source}: {name}.port: {port} is {seen[port]}.port already", "Choose another."
            )
        seen[port] = name


def _problem(error: Mapping[str, Any]) -> str:
    """One wrong setting as `path: what it should be`."""
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path, [*Settings.model_fields, *paths()], n=1)
        return f"{path}: unknown setting" + (f"; did you mean {near[0]}?" if near else "")
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{path}: {text[:1].lower()}{text[1:]}"


def paths() -> dict[str, object]:
    """Each setting's path with its default, as `{"router.port": 5080, …}`."""
    found: dict[str, object] = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, _Section):
            section = field.default
            found |= {f"{name}.{key}": getattr(section, key) for key in type(section).model_fields}
        else:
            found[name] = field.default
    return found
