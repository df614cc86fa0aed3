"""What a push may update, and what git reports of a deploy that failed."""

import pytest

from server.api.hooks import deployable, reason
from server.errors import BuildFailed, Conflict, KuramaError, PreflightFailed
from server.repos.repository import NO_COMMIT

OLD, NEW = "a" * 40, "b" * 40


@pytest.mark.parametrize("branch", ["main", "master"])
@pytest.mark.parametrize("old", [OLD, NO_COMMIT])
def test_the_deploy_branch_deploys(branch: str, old: str) -> None:
    """The commit that it is to be at, whether it was there before or not."""
    assert deployable([[old, NEW, f"refs/heads/{branch}"]]) == NEW


@pytest.mark.parametrize(
    ("reference", "says", "hint"),
    [
        ("refs/heads/feature/x", "feature/x is a branch", "git push kurama feature/x:main"),
        ("refs/tags/v1", "v1 is a tag", "git push kurama v1:main"),
        ("refs/heads/main2", "main2 is a branch", "git push kurama main2:main"),
        ("refs/heads/Main", "Main is a branch", "git push kurama Main:main"),
        ("refs/notes/x", "refs/notes/x is a branch", "git push"),
    ],
)
def test_anything_else_deploys_nothing(reference: str, says: str, hint: str) -> None:
    """And says what would."""
    with pytest.raises(PreflightFailed) as caught:
        deployable([[OLD, NEW, reference]])
    assert caught.value.message.startswith(says)
    assert hint in caught.value.hint


def test_one_wrong_reference_refuses_all() -> None:
    """git would otherwise take the rest."""
    updates = [[OLD, NEW, "refs/heads/main"], [OLD, NEW, "refs/heads/x"]]
    with pytest.raises(PreflightFailed, match="x is a branch"):
        deployable(updates)


def test_one_push_deploys_one_branch() -> None:
    """Which of two would be live?"""
    updates = [[OLD, NEW, "refs/heads/main"], [OLD, NEW, "refs/heads/master"]]
    with pytest.raises(PreflightFailed, match="One push deploys one branch"):
        deployable(updates)


def test_what_is_deployed_can_not_be_deleted() -> None:
    """The hint says how an app ends."""
    with pytest.raises(PreflightFailed, match="main can't be deleted") as caught:
        deployable([[OLD, NO_COMMIT, "refs/heads/main"]])
    assert "kurama destroy" in caught.value.hint


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (BuildFailed("pip failed\nits output"), "deploy failed: pip failed"),
        (BuildFailed("\x1b[31mred\r"), "deploy failed: red"),
        (Conflict("shop is busy"), "not deployed: shop is busy"),
        (KuramaError(""), "not deployed: "),
    ],
)
def test_a_reason_is_one_line(error: KuramaError, says: str) -> None:
    """It stands in git's report, in a packet of its own."""
    assert reason(error) == says


def test_a_reason_is_short() -> None:
    """Whatever the error says."""
    assert len(reason(BuildFailed("x" * 5000))) == 200
