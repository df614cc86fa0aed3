"""Which versions are allowed: the standard's way of writing it, and Poetry's.

https://packaging.python.org/en/latest/specifications/version-specifiers/
https://python-poetry.org/docs/dependency-specification/#version-constraints
"""

import re

from packaging.specifiers import SpecifierSet

_ONE = re.compile(r"(\^|~=|~|===|==|!=|>=|<=|>|<|=)?\s*v?([0-9][^\s,|^~<>=!]*|\*)\s*(?:,\s*)?")
_NUMBER = re.compile(r"[0-9]{1,9}")
_ANY = re.compile(r"\*(\.\*)*")


class InvalidConstraint(ValueError):
    """The text is no constraint."""


class Versions:
    """A set of versions: those that any of its specifiers contains."""

    def __init__(self, *alternatives: SpecifierSet) -> None:
        self._alternatives = alternatives

    def __contains__(self, version: str) -> bool:
        """Whether it holds `version`, pre-releases included; never what is no version."""
        try:
            return any(one.contains(version, prereleases=True) for one in self._alternatives)
        except ValueError:
            return False


def standard(text: str) -> SpecifierSet:
    """`>=3.11,<4` as the standard has it; InvalidConstraint for anything else."""
    try:
        specifiers = SpecifierSet(text)
        # A number that is too long for Python shows itself only when it is compared.
        for one in specifiers:
            one.contains("0")
    except ValueError:
        raise InvalidConstraint(text) from None
    return specifiers


def poetry(text: str) -> Versions:
    """`^3.11`, `~3.11`, `3.*`, `>=3.9,<4.0`, `>=2.7 <3 || ^3.11`; InvalidConstraint else."""
    alternatives = re.split(r"\s*\|\|?\s*", text.strip())
    return Versions(*(_all_of(one) for one in alternatives))


def _all_of(text: str) -> SpecifierSet:
    specifiers: list[str] = []
    place = 0
    while place < len(text):
        match = _ONE.match(text, place)
        if match is None:
            raise InvalidConstraint(text)
        specifiers += _specifiers(match[1] or "", match[2])
        place = match.end()
    return standard(",".join(specifiers))


def _specifiers(operator: str, version: str) -> list[str]:
    if operator == "^":
        return [f">={version}", f"<{_after(version, _first_number(version))}"]
    if operator == "~":
        return [f">={version}", f"<{_after(version, min(1, version.count('.')))}"]
    version = re.sub(r"\.[xX*](\.[xX*])*$", ".*", version)
    if operator in ("", "=", "=="):
        return [] if _ANY.fullmatch(version) else [f"=={version}"]
    return [f"{operator}{version}"]


def _first_number(version: str) -> int:
    """Which part of `version` `^` holds: the first that is not zero, else the last."""
    parts = version.split(".")
    return next((at for at, part in enumerate(parts) if part != "0"), len(parts) - 1)


def _after(version: str, at: int) -> str:
    """The version after all that begin as `version` does up to its part number `at`."""
    parts = version.split(".")[: at + 1]
    if not all(_NUMBER.fullmatch(part) for part in parts):
        raise InvalidConstraint(version)
    return ".".join([*parts[:-1], str(int(parts[-1]) + 1)])
