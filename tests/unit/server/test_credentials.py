"""The secrets between Kurama's own parts."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from server.credentials import Credentials


def mode(path: Path) -> int:
    """Who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    """And found again by the next program; no two are alike."""
    first, second = Credentials(tmp_path), Credentials(tmp_path)
    assert first.bus_password == second.bus_password
    assert first.ingest_token == second.ingest_token != first.bus_password
    assert len(first.bus_password) >= 40
    assert Credentials(tmp_path / "other").bus_password != first.bus_password


def test_only_the_operator_can_read_it(tmp_path: Path) -> None:
    """Neither the folder nor a file is open to others, from the first moment on."""
    assert Credentials(tmp_path).ingest_token
    assert mode(tmp_path / "secrets") == 0o700
    assert [mode(path) for path in (tmp_path / "secrets").iterdir()] == [0o600]


def test_who_makes_it_at_once_gets_the_same(tmp_path: Path) -> None:
    """All services start together, and each asks; nothing else is left behind."""
    together = Barrier(8)

    def ask(home: Path) -> str:
        together.wait()
        return Credentials(home).bus_password

    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            home = tmp_path / str(number)
            assert len(set(pool.map(ask, [home] * 8))) == 1
            assert [path.name for path in (home / "secrets").iterdir()] == ["bus"]


def test_a_secret_of_the_operators_own_is_taken(tmp_path: Path) -> None:
    """Written into the file, without the line's end."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "bus").write_text("chosen\n")
    assert Credentials(tmp_path).bus_password == "chosen"


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    """The object knows a folder, and no more."""
    credentials = Credentials(tmp_path)
    assert credentials.bus_password not in f"{credentials!r}{vars(credentials)}"
