"""The pages that stand in for an app."""

import html

import pytest

from server.router.pages import Pages, Problem

PAGES = Pages()


@pytest.mark.parametrize("problem", Problem)
def test_a_page_says_its_code_what_is_wrong_and_what_to_do(problem: Problem) -> None:
    """To a visitor, and to the app's owner."""
    text = html.unescape(PAGES.html(problem, "shop"))
    for part in (problem.value.code, problem.value.title, "shop", "For its owner"):
        assert part in text
    assert text.lstrip().startswith("<!doctype html>")


@pytest.mark.parametrize("problem", Problem)
def test_a_page_has_nothing_that_caddy_would_replace(problem: Problem) -> None:
    """Braces are placeholders in a static response."""
    assert "{" not in PAGES.html(problem, "shop")
    assert "{" not in PAGES.html(problem)


@pytest.mark.parametrize("problem", Problem)
def test_a_page_has_the_status_of_its_kind(problem: Problem) -> None:
    """5xx, but for a host that nobody has."""
    assert problem.value.status == 404 or 500 <= problem.value.status < 600
    assert (problem.value.status == 404) is (problem is Problem.NO_SUCH_APP)


def test_a_page_that_will_change_looks_again_by_itself() -> None:
    """Only while a deploy is under way."""
    refreshing = [one for one in Problem if 'http-equiv="refresh"' in PAGES.html(one)]
    assert refreshing == [Problem.DEPLOYING]


def test_what_is_put_into_a_page_is_escaped() -> None:
    """Names are checked elsewhere; here nothing depends on it."""
    assert "<script>" not in PAGES.html(Problem.CRASHED, "<script>")


def test_without_an_app_none_is_named() -> None:
    """The page of an unknown host repeats nothing that the visitor sent."""
    assert " · </p>" not in PAGES.html(Problem.NO_SUCH_APP)
    assert "None" not in PAGES.html(Problem.NO_SUCH_APP)
