"""The pages that a visitor gets when no replica answered: each with a code, as Heroku's H10."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import jinja2


@dataclass(frozen=True, slots=True)
class Page:
    """`code` is explained in docs/reference/router-errors.md; `advice` is for the app's owner."""

    code: str
    status: int
    title: str
    text: str
    advice: str
    refresh_s: int = 0


class Problem(Enum):
    """Why the router answers itself."""

    NO_SUCH_APP = Page(
        "H04",
        404,
        "There is no app here",
        "No app has this name.",
        "kurama apps lists yours; kurama create NAME makes one.",
    )
    CRASHED = Page(
        "H10",
        503,
        "The app has crashed",
        "It was started again several times and ended each time.",
        "kurama logs shows why; kurama restart tries again; kurama rollback goes back.",
    )
    TIMEOUT = Page(
        "H12",
        504,
        "The app took too long",
        "It accepted the request and didn't begin to answer it in time.",
        "kurama logs shows what it was doing.",
    )
    NO_ANSWER = Page(
        "H13",
        502,
        "The app didn't answer",
        "It closed the connection, or no replica of it listens just now.",
        "kurama ps shows its replicas, kurama logs their last lines.",
    )
    NO_WEB_REPLICAS = Page(
        "H14",
        503,
        "The app is not running",
        "It has no web replica.",
        "kurama scale web=1 starts one.",
    )
    DEPLOYING = Page(
        "H20",
        503,
        "The app is being deployed",
        "It will be here in a moment; this page looks again by itself.",
        "kurama releases shows how it goes.",
        refresh_s=2,
    )
    NO_CODE = Page(
        "H81",
        503,
        "Nothing has been deployed here yet",
        "The app exists and waits for its first push.",
        "git push kurama main",
    )


class Pages:
    """Renders a problem as HTML."""

    def __init__(self) -> None:
        folder = Path(__file__).parent / "pages"
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )
        self._template = environment.get_template("problem.html")

    def html(self, problem: Problem, app: str | None = None) -> str:
        """The page, without braces that Caddy would take for a placeholder of its own."""
        return self._template.render(page=problem.value, app=app)
