"""The environment of an app's processes: what the platform sets, over what the app configured."""

from collections.abc import Mapping
from pathlib import Path

from agent.sandbox.images import StoredImage
from agent.sandbox.jail import Jail, View
from agent.sandbox.layout import Layout

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
# Where the host says its certificates are, for a network that inspects TLS.
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def for_process(
    app: str,
    image: StoredImage,
    layout: Layout,
    jail: Jail,
    view: View,
    config: Mapping[str, str],
    host: Mapping[str, str],
) -> dict[str, str]:
    """What a process of `image` is given: `config`, with the platform's own variables over it."""
    tree = jail.app_dir(view)
    venv = layout.venv(app, image.venv)
    own = {
        "PATH": f"{venv}/bin:{_SYSTEM_PATH}",
        "VIRTUAL_ENV": str(venv),
        "HOME": "/tmp" if jail.confines else str(view.tmp),  # noqa: S108 - its own
        "HOST": "127.0.0.1",
        "KURAMA_DATA_DIR": jail.data_dir(view),
    }
    if image.pythonpath:
        own["PYTHONPATH"] = ":".join(str(Path(tree) / folder) for folder in image.pythonpath)
    defaults = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    defaults |= {name: host[name] for name in CERTIFICATE_VARIABLES if name in host}
    return {**defaults, **config, **own}


def certificate_paths(host: Mapping[str, str]) -> list[Path]:
    """The files and folders that the certificate variables name, to be shown in a jail."""
    paths = {Path(host[name]) for name in CERTIFICATE_VARIABLES if host.get(name)}
    shown_already = (Path("/usr"), Path("/etc/ssl"))
    return sorted(
        path
        for path in paths
        if path.exists() and not any(path.is_relative_to(parent) for parent in shown_already)
    )
