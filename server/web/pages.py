"""The pages' routes."""

from pathlib import Path

import jinja2
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from server import __version__

router = APIRouter(include_in_schema=False)
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)
# Nothing is loaded from anywhere, and nothing runs.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@router.get("/", response_class=HTMLResponse)
def home(request: Request) -> HTMLResponse:
    """What a browser shows at the interface's address."""
    url = str(request.base_url).rstrip("/")
    page = _TEMPLATES.get_template("home.html").render(url=url, version=__version__)
    return HTMLResponse(page, headers=_HEADERS)
