"""Draws the README's picture: the real output of real commands on a platform made for it.

Run by `make pictures`. It starts a platform, pushes examples/shop, asks it a few times, and writes
docs/pictures/push.svg.
"""

import io
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.conftest import eventually
from tests.harness import ROOT, Checkout, running

_WIDTH = 98
_ROUTES = ("/", "/products/2", "/search?q=tea", "/", "/nothing-here")


def main() -> None:
    """Make every picture."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as platform:
        user = platform.admin()
        shop = user.app("shop", _files(ROOT / "examples" / "shop"))
        push = shop.push()
        for route in _ROUTES:
            shop.get(route)
        eventually(lambda: len(_requests(shop)) >= len(_ROUTES))
        logs = shop.kurama("logs", "-n", str(len(_ROUTES)))
        ps = shop.kurama("ps")
        text = (
            f"$ git push kurama main\n{push.err}\n"
            f"$ kurama logs -n {len(_ROUTES)}\n{logs.out}\n$ kurama ps\n{ps.out}"
        )
        port = str(platform.settings["router"]["port"])
    _draw("push.svg", text.replace(port, "5080"))


def _files(folder: Path) -> dict[str, str | bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    kept = (path for path in found if "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def _requests(shop: Checkout) -> list[object]:
    return [record for record in shop.json("logs") if record["method"]]


def _draw(name: str, text: str) -> None:
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    for line in text.splitlines():
        kept = line.rstrip()
        if re.match(r"remote:\s+\+ |To http|   [0-9a-f]{7}\.\.", kept):
            continue
        style = "bold" if kept.startswith("$") else "red" if " ERROR " in kept else ""
        console.print(Text(kept[: _WIDTH - 1], style=style))
    path = ROOT / "docs" / "pictures" / name
    console.save_svg(str(path), title="kurama")
    # Fonts from elsewhere: a picture must not load anything.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", path.read_text(), flags=re.DOTALL)
    path.write_text(svg)


if __name__ == "__main__":
    main()
