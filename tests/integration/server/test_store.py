"""The store on a real PostgreSQL: schema, accounts, apps, releases, locks."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import psycopg2.extensions
import pytest

from server.errors import Conflict, NotFound, StoreError, StoreUnavailable, Unauthenticated
from server.models import (
    Account,
    App,
    ConfigVariable,
    DeployKind,
    DeployState,
    Release,
    ReleaseState,
)
from server.store import migrations
from server.store.accounts import Accounts
from server.store.apps import Apps
from server.store.database import Database
from server.store.deploys import Deploys
from server.store.releases import Releases
from tests.engines import Engines

_HOUR = timedelta(hours=1)


@pytest.fixture
def ann(database: Database) -> Account:
    """Somebody with an account."""
    return Accounts(database).create("ann@example.com", "correct horse")


@pytest.fixture
def app(database: Database, ann: Account) -> App:
    """Her app."""
    return Apps(database).create("shop", ann)


def test_migrations_are_applied_once(url: str) -> None:
    """A database that has seen all of them is not changed by another start."""
    before = _schema(url)
    assert migrations.migrate(url) == []
    assert _schema(url) == before


def test_migrations_of_two_programs_at_once(engines: Engines) -> None:
    """Both succeed on an empty database, and each migration is applied by one of them."""
    url = engines.database("empty")
    with ThreadPoolExecutor(2) as pool:
        applied = list(pool.map(migrations.migrate, [url, url]))
    assert sorted(map(len, applied))[0] == 0
    assert sum(map(len, applied)) > 0
    assert _schema(url) == _schema(engines.clone())


def test_a_newer_database_is_refused(engines: Engines, url: str) -> None:
    """A platform that was downgraded doesn't write into what it doesn't know."""
    engines.sql("INSERT INTO schema_migrations (name) VALUES ('9999.from_the_future')", url)
    before = _schema(url)
    with pytest.raises(StoreError, match=r"9999\.from_the_future") as caught:
        migrations.migrate(url)
    assert "newer" in caught.value.hint
    assert _schema(url) == before


def test_a_database_of_another_encoding_is_refused(engines: Engines) -> None:
    """What is not UTF-8 could not hold what applications log."""
    url = engines.database("latin", options="ENCODING LATIN1 LOCALE 'C'")
    with pytest.raises(StoreError, match="LATIN1") as caught:
        migrations.migrate(url)
    assert "UTF8" in caught.value.hint


def test_no_database_at_all(engines: Engines) -> None:
    """It is StoreUnavailable, with PostgreSQL's reason and nothing of a password."""
    database = Database("postgresql://kurama:s3cret@127.0.0.1:1/none", 1)
    with pytest.raises(StoreUnavailable, match="can't be reached") as caught:
        database.ping()
    assert "s3cret" not in caught.value.message + caught.value.hint
    with pytest.raises(StoreUnavailable):
        migrations.migrate("postgresql://kurama:s3cret@127.0.0.1:1/none")


def test_passwords_are_kept_as_hashes(database: Database, ann: Account, engines: Engines) -> None:
    """Nothing that is stored has the password in it; unknown accounts are like wrong ones."""
    accounts = Accounts(database)
    assert accounts.check_password("ann@example.com", "correct horse") == ann
    for email, password in (("ann@example.com", "wrong"), ("nobody@example.com", "correct horse")):
        with pytest.raises(Unauthenticated, match="Wrong e-mail address or password"):
            accounts.check_password(email, password)
    accounts.set_password("ann@example.com", "another one")
    with pytest.raises(Unauthenticated):
        accounts.check_password("ann@example.com", "correct horse")
    with database.transaction() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT accounts::text AS row FROM accounts")
        assert "another one" not in str(cursor.fetchall())


def test_an_account_is_there_once(database: Database, ann: Account) -> None:
    """A second one of the same address is a conflict, also when both come at once."""
    accounts = Accounts(database)
    with pytest.raises(Conflict, match=r"ann@example\.com"):
        accounts.create("ann@example.com", "x")
    made = _both(lambda: accounts.create("bob@example.com", "x"))
    assert sorted(type(one).__name__ for one in made) == ["Account", "Conflict"]


def test_tokens(database: Database, ann: Account) -> None:
    """Only a hash is kept; a revoked one is dead at once, a stranger can't revoke it."""
    accounts = Accounts(database)
    token, text = accounts.issue_token(ann, "laptop", _HOUR)
    assert accounts.authenticate(text) == (ann, token.id)
    assert [one.name for one in accounts.tokens(ann)] == ["laptop"]
    with database.transaction() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tokens::text AS row FROM tokens")
        stored = str(cursor.fetchall())
    assert text not in stored
    assert text.encode().hex() not in stored
    bob = accounts.create("bob@example.com", "x")
    with pytest.raises(NotFound):
        accounts.revoke(bob, token.id)
    assert accounts.authenticate(text) == (ann, token.id)
    accounts.revoke(ann, token.id)
    with pytest.raises(Unauthenticated):
        accounts.authenticate(text)


@pytest.mark.parametrize("text", ["", "kurama_", "kurama_\0", "x" * 100_000, "\udcff"])
def test_what_is_no_token(database: Database, text: str) -> None:
    """Whatever somebody shows: it is unknown, and no other error."""
    with pytest.raises(Unauthenticated):
        Accounts(database).authenticate(text)


def test_an_expired_token(database: Database, ann: Account) -> None:
    """From its hour on it is as unknown as any."""
    accounts = Accounts(database)
    _, text = accounts.issue_token(ann, "old", timedelta(seconds=-1))
    with pytest.raises(Unauthenticated, match="expired"):
        accounts.authenticate(text)


def test_an_app_belongs_to_its_owner(database: Database, ann: Account, app: App) -> None:
    """Others don't see it, can't take its name, and are told the same as if it weren't there."""
    accounts, apps = Accounts(database), Apps(database)
    bob = accounts.create("bob@example.com", "x")
    root = accounts.create("root@example.com", "x", is_admin=True)
    assert apps.visible_to(ann, "shop") == apps.visible_to(root, "shop") == app
    assert list(apps.all(bob)) == []
    assert list(apps.all(ann)) == list(apps.all(root)) == [app]
    messages = []
    for name in ("shop", "nothing"):
        with pytest.raises(NotFound) as caught:
            apps.visible_to(bob, name)
        messages.append(caught.value.message.replace(name, "NAME"))
    assert messages[0] == messages[1]
    with pytest.raises(Conflict):
        apps.create("shop", bob)


def test_config(database: Database, app: App) -> None:
    """Changes and removals in one transaction; values come back byte for byte."""
    apps = Apps(database)
    odd = "é🐳'\"\\\n%s :name $1"
    apps.change_config(app, [ConfigVariable("A", odd), ConfigVariable("B", "x", True)], ["A_NONE"])
    assert apps.config(app) == [ConfigVariable("A", odd), ConfigVariable("B", "x", True)]
    apps.change_config(app, [ConfigVariable("B", "y")], ["A"])
    assert apps.config(app) == [ConfigVariable("B", "y")]
    with pytest.raises(ValueError, match="NUL"):
        apps.change_config(app, [ConfigVariable("C", "z"), ConfigVariable("D", "\0")], [])
    assert apps.config(app) == [ConfigVariable("B", "y")], "all of it or nothing"


def test_an_app_is_deleted_with_all_that_is_its(database: Database, ann: Account, app: App) -> None:
    """Releases, images, config and deploys go; its name is free again."""
    releases, deploys = Releases(database), Deploys(database)
    _release(database, app, ann, live=True)
    Apps(database).delete(app)
    with pytest.raises(NotFound):
        Apps(database).get(app.id)
    assert deploys.unended() == []
    again = Apps(database).create("shop", ann)
    assert releases.latest(again, 10) == []
    assert releases.next_version(again) == 1


def test_one_release_is_live(database: Database, ann: Account, app: App) -> None:
    """Making one live supersedes the one before, with its config, in one step."""
    releases = Releases(database)
    first = _release(database, app, ann, live=True)
    second = _release(database, app, ann)
    releases.make_live(app, second, [ConfigVariable("A", "1")], [])
    states = [summary.release.state for summary in releases.latest(app, 10)]
    assert states == [ReleaseState.LIVE, ReleaseState.SUPERSEDED]
    assert Apps(database).get(app.id).release_id == second.id
    assert Apps(database).config(app) == [ConfigVariable("A", "1")]
    assert releases.before(app, second).id == first.id


def test_a_release_that_failed_meanwhile_does_not_go_live(
    database: Database, ann: Account, app: App
) -> None:
    """Somebody else's verdict holds: the one before stays live, config and all."""
    releases = Releases(database)
    first = _release(database, app, ann, live=True)
    second = _release(database, app, ann)
    releases.fail(second.id)
    with pytest.raises(Conflict):
        releases.make_live(app, second, [ConfigVariable("A", "1")], [])
    assert Apps(database).get(app.id).release_id == first.id
    assert releases.get(first.id).state is ReleaseState.LIVE
    assert Apps(database).config(app) == []


def test_a_verdict_falls_once(database: Database, ann: Account, app: App) -> None:
    """Of failing and going live at once exactly one wins, and the app points at what is live."""
    releases = Releases(database)
    first = _release(database, app, ann, live=True)
    for _ in range(10):
        second = _release(database, app, ann)
        _both(partial(releases.make_live, app, second), partial(releases.fail, second.id))
        live = [s.release for s in releases.latest(app, 99) if s.release.state == "live"]
        assert len(live) == 1
        assert Apps(database).get(app.id).release_id == live[0].id
        assert live[0].id in (first.id, second.id)
        first = live[0]


def test_releases_are_numbered_without_a_double(database: Database, ann: Account, app: App) -> None:
    """Of two at once each gets a number of its own, or is told to try again."""
    made = _both(lambda: _release(database, app, ann))
    numbers = [one.version for one in made if isinstance(one, Release)]
    assert len(set(numbers)) == len(numbers) >= 1
    assert all(isinstance(one, (Release, Conflict)) for one in made)


def test_a_deploy_ends_once(database: Database, ann: Account, app: App) -> None:
    """Of success and failure at once one is kept, with its own error; output may hold NUL."""
    deploys = Deploys(database)
    for _ in range(10):
        deploy = deploys.add(app, DeployKind.RESTART, ann)
        deploys.start(deploy)
        failure = {"message": "it failed"}
        _both(
            partial(deploys.end, deploy.id, DeployState.SUCCEEDED, output="\0good"),
            partial(deploys.end, deploy.id, DeployState.FAILED, error=failure, output="bad"),
        )
        found = deploys.get(app, deploy.id)
        good = (DeployState.SUCCEEDED, None, "\ufffdgood")
        bad = (DeployState.FAILED, failure, "bad")
        assert (found.state, found.error, found.output) in (good, bad)
    assert deploys.unended() == []


def test_one_deploy_at_a_time(database: Database, app: App) -> None:
    """The lock is one app's own; who waits gets it when it is free, or a conflict in time."""
    deploys = Deploys(database)
    with deploys.lock(app.id, 0), deploys.lock(app.id + 1, 0):
        for wait in (0, 0.2):
            with pytest.raises(Conflict, match="under way"), deploys.lock(app.id, wait):
                pytest.fail("two at once")
    entered = threading.Event()

    def second() -> None:
        with deploys.lock(app.id, 20):
            entered.set()

    with deploys.lock(app.id, 0):
        waiter = threading.Thread(target=second)
        waiter.start()
        assert not entered.wait(0.2)
    assert entered.wait(10)
    waiter.join(10)


def test_the_lock_falls_with_its_holder(database: Database, engines: Engines, app: App) -> None:
    """When the holder's connection ends, however it ends, the next one gets the lock."""
    deploys = Deploys(database)
    with deploys.lock(app.id, 0):
        assert engines.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(1,)]
        engines.sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
        )
        with deploys.lock(app.id, 5):
            pass


def test_the_pool_has_a_bound(url: str) -> None:
    """Who waits too long for a connection is told so; a free one serves the next."""
    small = Database(url, 1, wait=0.1)
    with small.transaction(), pytest.raises(StoreUnavailable, match="in use"), small.transaction():
        pytest.fail("there is only one")
    small.ping()
    small.close()


def test_a_lost_connection_is_replaced(database: Database, engines: Engines) -> None:
    """After PostgreSQL ended a connection one statement fails, as unavailable; the next works."""

    def pid() -> int:
        with database.transaction() as connection:
            return connection.info.backend_pid

    first = pid()
    engines.sql(f"SELECT pg_terminate_backend({first}, 5000)")
    with pytest.raises(StoreUnavailable):
        database.ping()
    database.ping()
    assert pid() != first


def test_a_transaction_is_rolled_back(database: Database, ann: Account) -> None:
    """An error inside leaves nothing, and the connection is good for the next."""

    def fail_in_the_middle() -> None:
        with database.transaction() as connection:
            database.queries.insert_app(connection, name="half", owner_id=ann.id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle()
    assert list(Apps(database).all()) == []


def _release(database: Database, app: App, account: Account, *, live: bool = False) -> Release:
    releases, deploys = Releases(database), Deploys(database)
    image = releases.add_image(
        app,
        reference="abc",
        commit="c" * 40,
        processes={"web": "x"},
        release_command=None,
        python_version="3.11.2",
    )
    deploy = deploys.add(app, DeployKind.PUSH, account)
    release = releases.add(
        app,
        image,
        config={},
        description="Push",
        created_by=account.email,
        deploy_id=deploy.id,
    )
    if live:
        releases.make_live(app, release)
    return release


def _both(*acts: Callable[[], object]) -> list[object]:
    """What two threads get that act at once: results or errors. One act is done by both."""
    pair = acts if len(acts) == 2 else acts * 2
    start = threading.Barrier(2)

    def act(one: Callable[[], object]) -> object:
        start.wait(10)
        try:
            return one()
        except (Conflict, StoreError) as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(act, pair))


def _schema(url: str) -> list[object]:
    """Every column, index and constraint of a database, and which migrations it has seen."""
    connection: psycopg2.extensions.connection = psycopg2.connect(url)
    found: list[object] = []
    try:
        with connection, connection.cursor() as cursor:
            columns = (
                "SELECT attrelid::regclass, attname, atttypid::regtype, attnotnull"
                " FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped"
                " AND attrelid::regclass::text !~ '^(pg_|information_schema)'"
            )
            for query in (
                columns,
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
                "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint",
                "SELECT name FROM schema_migrations",
            ):
                cursor.execute(query)
                found.append(sorted(map(str, cursor.fetchall())))
    finally:
        connection.close()
    return found
