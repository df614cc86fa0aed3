"""Where builds get packages from: the host's own settings for uv, and those for pip put as uv's.

A host behind a mirror or a TLS-inspecting proxy has said so to pip; builds must honour it, though
uv reads none of pip's files.
"""

import configparser
from collections.abc import Mapping, Sequence
from pathlib import Path

# What a host may have set for uv, the network and its certificates; passed on as it is.
_PASSED_ON = (
    "ALL_PROXY HTTPS_PROXY HTTP_PROXY NO_PROXY all_proxy https_proxy http_proxy no_proxy "
    "SSL_CERT_DIR SSL_CERT_FILE UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_HTTP_TIMEOUT "
    "UV_INDEX UV_INDEX_STRATEGY UV_INDEX_URL UV_INSECURE_HOST UV_NATIVE_TLS UV_NO_INDEX UV_OFFLINE "
    "UV_SYSTEM_CERTS"
).split()
_GLOBAL_FILES = ("/etc/xdg/pip/pip.conf", "/etc/pip.conf")
# pip's option, and the variable that means the same to uv.
_MEANINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}


def environment(
    host: Mapping[str, str], home: Path, shared: Sequence[str] = _GLOBAL_FILES
) -> dict[str, str]:
    """The variables for uv that say what `host`'s environment and pip's files say.

    Those are the `shared` ones, and those of the user whose folder is `home`.

    What is set for uv itself wins over what is set for pip.
    """
    pip = {**_from_files(host, home, shared), **_from_environment(host)}
    variables = {_MEANINGS[key]: _value(key, text) for key, text in pip.items() if text.strip()}
    if "UV_INDEX" in variables:
        # pip takes the best version of all its indexes, uv by default the first index's.
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {**variables, **{name: host[name] for name in _PASSED_ON if host.get(name)}}


def local_paths(variables: Mapping[str, str]) -> list[Path]:
    """The folders and files of this host that the variables name, to be shown to a build."""
    names = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")
    indexes = [word for word in _words(variables, *names) if word.startswith("file://")]
    # An index on disk lists files that lie beside it: show the folder that holds both.
    paths = {Path(word.removeprefix("file://")).parent for word in indexes}
    others = _words(variables, "UV_FIND_LINKS", "SSL_CERT_FILE", "SSL_CERT_DIR")
    paths |= {Path(word.removeprefix("file://")) for word in others}
    return sorted(path for path in paths if path.is_absolute() and path.exists())


def _words(variables: Mapping[str, str], *names: str) -> list[str]:
    return [word for name in names for word in variables.get(name, "").replace(",", " ").split()]


def _from_environment(host: Mapping[str, str]) -> dict[str, str]:
    names = {key: "PIP_" + key.upper().replace("-", "_") for key in _MEANINGS}
    return {key: host[name] for key, name in names.items() if host.get(name)}


def _from_files(host: Mapping[str, str], home: Path, shared: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    personal = [home / ".pip" / "pip.conf", home / ".config" / "pip" / "pip.conf"]
    named = [Path(host["PIP_CONFIG_FILE"])] if host.get("PIP_CONFIG_FILE") else []
    for path in [*map(Path, shared), *personal, *named]:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path)
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {key: text for key, text in parser[section].items() if key in _MEANINGS}
    return found


def _value(key: str, text: str) -> str:
    """pip separates several by white space, uv's find-links by commas."""
    words = text.split()
    return ",".join(words) if key == "find-links" else " ".join(words)
