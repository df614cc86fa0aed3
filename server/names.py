"""Which names the platform takes, checked once at the border.

A name that passed here is safe in a path, in a host name, in a bus subject and in an argument list.
"""

import re

from server.errors import InvalidName

_APP = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PROCESS = re.compile(r"[a-z][a-z0-9-]{0,29}")
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,128}@[^@\s\x00-\x1f]{1,128}")

# Words in a variable's name that mean that its value is nobody's business.
_SECRET_WORDS = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PRIVATE|CREDENTIAL|API_?KEY|(^|_)KEY($|_)|(^|_)DSN$"
    r"|DATABASE_URL|REDIS_URL|MONGO.*_URL|AMQP_URL|BROKER_URL",
    re.IGNORECASE,
)

# Host names and words that the platform uses itself, or may want to.
RESERVED_APPS = frozenset(
    "admin api dashboard git health interface internal kurama localhost router static status "
    "system www".split()
)
# Set by the platform for each replica: an app can't choose them.
RESERVED_VARIABLES = frozenset(
    "HOME HOST KURAMA_APP KURAMA_DATA_DIR KURAMA_PROCESS KURAMA_RELEASE KURAMA_REPLICA PATH PORT "
    "PYTHONPATH VIRTUAL_ENV".split()
)


def app_name(text: str) -> str:
    """Return `text` if it can name an app: it becomes the host NAME.DOMAIN, so a DNS label.

    Raises InvalidName.
    """
    if not text.isascii() or not _APP.fullmatch(text):
        raise InvalidName(
            f"{_shown(text)} can't name an app",
            "A name is 1 to 63 of a-z, 0-9 and -, starts with a letter and doesn't end with -.",
        )
    if text in RESERVED_APPS:
        raise InvalidName(f"{text!r} is kept for the platform", f"Choose another, {text}-app say.")
    return text


def variable_name(text: str) -> str:
    """Return `text` if an app may set an environment variable of that name; InvalidName if not."""
    if not _VARIABLE.fullmatch(text):
        raise InvalidName(
            f"{_shown(text)} can't name a config variable",
            "A name is letters, digits and _, and doesn't start with a digit.",
        )
    if text in RESERVED_VARIABLES:
        raise InvalidName(
            f"{text} is set by the platform",
            "Choose another name; see docs/reference/environment.md.",
        )
    return text


def variable_value(name: str, text: str) -> str:
    """Return `text` if it can be a variable's value: no environment holds a NUL; InvalidName."""
    if "\0" in text:
        raise InvalidName(
            f"The value of {name} has a NUL character", "No environment can hold one."
        )
    return text


def looks_secret(name: str) -> bool:
    """Whether a variable of this name most likely holds a secret: then its value is not shown."""
    return bool(_SECRET_WORDS.search(name))


def process_kind(text: str) -> str:
    """Return `text` if it can name a process kind ("web", "worker"); InvalidName if not."""
    if not _PROCESS.fullmatch(text):
        raise InvalidName(
            f"{_shown(text)} can't name a process",
            "A process is named as in the Procfile: a-z, 0-9 and -, at most 30 characters.",
        )
    return text


def email(text: str) -> str:
    """Return `text` if it looks like an e-mail address; InvalidName if not."""
    if not _EMAIL.fullmatch(text):
        raise InvalidName(f"{_shown(text)} is no e-mail address", "Write it as name@host.")
    return text.lower()


def _shown(text: str) -> str:
    """`text` as an error may show it: quoted, escaped, and never long."""
    return repr(text if len(text) <= 80 else text[:77] + "…")
