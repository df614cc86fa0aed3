"""Where builds get packages from, as the host said to pip or to uv."""

from pathlib import Path

import pytest

from agent.build import indexes

OWN = "https://packages.example/simple"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"PIP_INDEX_URL": OWN}, {"UV_DEFAULT_INDEX": OWN}),
        ({"PIP_INDEX_URL": OWN, "UV_DEFAULT_INDEX": "uv's"}, {"UV_DEFAULT_INDEX": "uv's"}),
        (
            {"PIP_EXTRA_INDEX_URL": f"{OWN}\n  {OWN}/2"},
            {"UV_INDEX": f"{OWN} {OWN}/2", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ({"PIP_FIND_LINKS": "/a /b"}, {"UV_FIND_LINKS": "/a,/b"}),
        ({"HTTPS_PROXY": "http://proxy.example", "HOME": "/x"}, {"HTTPS_PROXY": "http://proxy.example"}),
    ],
)  # fmt: skip
def test_what_the_environment_says(
    tmp_path: Path, host: dict[str, str], expected: dict[str, str]
) -> None:
    """pip's variables become uv's, uv's own win, and nothing else of the host is passed on."""
    assert indexes.environment(host, tmp_path, shared=()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"[global]\nindex-url = {OWN}\n", {"UV_DEFAULT_INDEX": OWN}),
        (f"[install]\ntrusted-host = {OWN}\n[list]\nindex-url = x", {"UV_INSECURE_HOST": OWN}),
        ("[global\nindex-url = x", {}),
        ("[global]\nindex-url = \n", {}),
    ],
)
def test_what_pips_file_says(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    """The sections that hold for installing; a broken file is pip's affair."""
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_text(text)
    assert indexes.environment({}, tmp_path, shared=()) == expected


def test_paths_of_the_host_that_a_build_must_see(tmp_path: Path) -> None:
    """An index on disk with what lies beside it, folders of wheels, certificates."""
    for name in ("simple", "wheels"):
        (tmp_path / name).mkdir()
    variables = {
        "UV_DEFAULT_INDEX": f"file://{tmp_path}/simple",
        "UV_FIND_LINKS": f"{tmp_path}/wheels,/not/there,https://x.example",
    }
    assert indexes.local_paths(variables) == [tmp_path, tmp_path / "wheels"]
