"""What must not stand in a log: values of a URL's query that look like credentials."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_plus

REDACTED = "[redacted]"

_PAIR = re.compile(r"([^&;=]+)=([^&;]+)")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Words that mean a credential wherever they stand in a name, and words that do so only on their
# own, since "key" is in "keyword" and "auth" in "author".
_ANYWHERE = r"token|passw|passphrase|pwd|secret|signature|credential|session|jwt|apikey|bearer"
_ALONE = r"key|code|sig|auth|oauth|authorization|pass|pin|otp|totp|hmac|sid|ticket"
_CREDENTIAL = re.compile(rf"{_ANYWHERE}|(?<![a-z])(?:{_ALONE})s?(?![a-z])")


def redact(url: str) -> str:
    """`url` with `[redacted]` for the value of each parameter named like a credential."""
    if "?" not in url:
        return url
    path, _, query = url.partition("?")
    return f"{path}?{_PAIR.sub(_redacted, query)}"


def _redacted(pair: re.Match[str]) -> str:
    name = pair.group(1)
    return f"{name}={REDACTED}" if _is_credential(name) else pair.group()


# Names come from outside: the memory is bounded here, and their length by the record's URL_CHARS.
@lru_cache(maxsize=512)
def _is_credential(name: str) -> bool:
    plain = unquote_plus(name)
    return bool(_CREDENTIAL.search(_CAMEL.sub("_", plain).lower()))
