"""The tree of errors: what each class owes to the API and to the command line."""

import inspect
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from server import errors
from server.errors import KuramaError


def classes() -> Iterator[type[KuramaError]]:
    """Every error class."""
    for _, one in inspect.getmembers(errors, inspect.isclass):
        if issubclass(one, KuramaError):
            yield one


CLASSES = list(classes())


@pytest.mark.parametrize("error", CLASSES)
def test_each_class_says_what_it_means_to_others(error: type[KuramaError]) -> None:
    """A code in snake case, a status that HTTP has, an exit status that the docs name."""
    assert error.code.isidentifier()
    assert error.code.islower()
    assert HTTPStatus(error.http_status) >= 400
    assert error.exit_code in (1, 2, 3, 4, 5)
    assert error.__doc__


def test_each_class_has_a_code_of_its_own() -> None:
    """A client tells errors apart by nothing else."""
    own = {one.__name__: vars(one).get("code") for one in CLASSES}
    assert None not in own.values()
    assert len(set(own.values())) == len(CLASSES) > 20


def test_what_was_asked_wrongly_is_the_askers_matter() -> None:
    """4xx for what was rejected, 5xx for what is ours; no room is the server's own kind."""
    for one in CLASSES:
        if issubclass(one, errors.RequestRejected) and one is not errors.NoRoom:
            assert 400 <= one.http_status < 500
        if issubclass(one, errors.WorkerError | errors.StoreError | errors.StreamError):
            assert one.http_status >= 500


@pytest.mark.parametrize(
    ("error", "status", "exits"),
    [
        (errors.NotFound, 404, 4),
        (errors.Unauthenticated, 401, 3),
        (errors.InvalidConfig, 422, 2),
        (errors.Conflict, 409, 1),
        (errors.TooManyRequests, 429, 1),
        (errors.StoreUnavailable, 503, 1),
        (errors.DeployFailed, 422, 1),
    ],
)
def test_statuses_that_the_docs_promise(error: type[KuramaError], status: int, exits: int) -> None:
    """Of HTTP and of a command."""
    assert (error.http_status, error.exit_code) == (status, exits)


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_carries_what_happened_and_what_to_do(error: type[KuramaError]) -> None:
    """Both as given; the message is also what a log shows."""
    one = error("it broke", "mend it")
    assert (one.message, one.hint, str(one)) == ("it broke", "mend it", "it broke")
    assert error("it broke").hint == ""


def test_the_tree_in_the_modules_docstring_is_the_tree() -> None:
    """Each class is drawn, one step further in than the class that it is of."""
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        words = line.replace("│", " ").replace("├", " ").replace("└", " ")
        name = words.split("(")[0].split()
        if name and any(name[0] == one.__name__ for one in CLASSES):
            drawn[name[0]] = (len(words) - len(words.lstrip())) // 2
    depths = {one.__name__: len(one.__mro__) for one in CLASSES}
    least = min(depths.values())
    top = drawn["KuramaError"]
    assert {name: depth - least for name, depth in depths.items()} == {
        name: depth - top for name, depth in drawn.items()
    }


def test_an_agents_fault_keeps_its_code() -> None:
    """Which has no class of its own."""
    assert errors.AgentFault("x", fault="start_failed").fault == "start_failed"
