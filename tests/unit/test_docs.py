"""The documentation says what the code does: reference pages, links, help texts, error codes."""

import re
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from kurama_cli.main import COMMANDS, cli
from server.names import RESERVED_VARIABLES
from server.operate.__main__ import main as operator
from server.router.pages import Problem
from server.settings import paths

ROOT = Path(__file__).resolve().parents[2]
# docs/ is no package: it is run, by `make docs`, and never imported.
PAGES: dict[str, Callable[[], str]] = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_ELSEWHERE = ("http://", "https://", "mailto:")


def markdown() -> Iterator[Path]:
    """Every page of the repository."""
    for path in ROOT.rglob("*.md"):
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
            yield path


def links() -> Iterator[tuple[Path, str]]:
    """Each link of a page that leads to another file of the repository."""
    for page in markdown():
        for found in _LINK.findall(_CODE.sub("", page.read_text())):
            if not found.startswith(_ELSEWHERE):
                yield page, unquote(found)


def anchors(page: Path) -> set[str]:
    """The headings of a page, as a link names them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(
    command: click.Command, path: str, above: click.Context | None
) -> Iterator[click.Context]:
    """The command's context, and those of all commands under it."""
    context = click.Context(command, info_name=path, parent=above)
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, f"{path} {name}"
            yield from commands(inner, name, context)


EVERY_COMMAND = list(commands(cli, "kurama", None))
# What `kurama up` and the like hand over to has options of its own.
OPERATORS = list(commands(operator, "kurama", None))


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_generated_page_is_what_the_code_says_now(page: str) -> None:
    """`make docs` would change nothing."""
    assert (ROOT / "docs" / "reference" / page).read_text() == PAGES[page]()


def test_every_setting_and_command_is_on_its_page() -> None:
    """The generator leaves none out."""
    settings, listed = PAGES["settings.md"](), PAGES["commands.md"]()
    assert not [path for path in paths() if f"| `{path}` |" not in settings]
    titles = set(re.findall(r"^##+ (.*)$", listed, re.MULTILINE))
    assert titles == {one.command_path for one in EVERY_COMMAND} - {"kurama"}
    assert len(titles) > 25


def test_every_link_leads_somewhere() -> None:
    """To a file or folder of the repository, and to a heading where it names one."""
    broken = []
    count = 0
    for page, link in links():
        count += 1
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert count > 30
    assert not broken


def test_every_page_is_reached_from_a_readme() -> None:
    """Nothing is written that nobody would find."""
    reached, left = set(), [ROOT / "README.md", ROOT / "docs" / "README.md"]
    leads: dict[Path, list[Path]] = {}
    for page, link in links():
        target = (page.parent / link.partition("#")[0]).resolve()
        leads.setdefault(page, []).append(target)
    while left:
        page = left.pop()
        if page not in reached:
            reached.add(page)
            left += leads.get(page, [])
    docs = set((ROOT / "docs").rglob("*.md"))
    assert not sorted(str(page.relative_to(ROOT)) for page in docs - reached)


def test_every_command_says_what_it_does() -> None:
    """`--help` of each is more than its name."""
    assert not [one.command_path for one in EVERY_COMMAND if not (one.command.help or "").strip()]


def test_every_option_says_what_it_does() -> None:
    """Of each command, subcommands and hidden ones too."""
    assert not [
        f"{one.command_path} {parameter.opts[0]}"
        for one in [*EVERY_COMMAND, *OPERATORS]
        for parameter in one.command.params
        if isinstance(parameter, click.Option) and not (parameter.help or "").strip()
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_begins_with_each_help(name: str) -> None:
    """The root's `--help` shows texts of its own, so as to import nothing: they agree."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    first = " ".join((command.help or "").partition("\n\n")[0].split())
    assert first.startswith(COMMANDS[name][1].rstrip("."))


@pytest.mark.parametrize("problem", Problem)
def test_every_code_of_the_router_is_explained(problem: Problem) -> None:
    """With the status that it comes with."""
    page = (ROOT / "docs" / "reference" / "router-errors.md").read_text()
    assert f"| {problem.value.code} | {problem.value.status} |" in page


def test_the_routers_codes_are_these() -> None:
    """A contract: somebody may have written a code into an alert."""
    assert {one.value.code for one in Problem} == set("H04 H10 H12 H13 H14 H20 H81".split())


def test_every_variable_that_an_app_can_not_set_is_explained() -> None:
    """It would be refused with a pointer to that page."""
    page = (ROOT / "docs" / "reference" / "environment.md").read_text()
    assert len(RESERVED_VARIABLES) > 10
    assert not [name for name in RESERVED_VARIABLES if f"`{name}`" not in page]
