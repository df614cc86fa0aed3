"""Apps, their config and how many replicas of each process they want."""

from collections.abc import Mapping, Sequence

from server.errors import Conflict, NotFound
from server.models import Account, App, ConfigVariable
from server.store.database import Database


class Apps:
    """Every app, by name; who may see one is decided here and nowhere else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, owner: Account) -> App:
        """Add an app; Conflict when the name is taken, whoever took it."""
        try:
            with self._database.transaction() as connection:
                app_id = self._database.queries.insert_app(connection, name=name, owner_id=owner.id)
                row = self._database.queries.find_app_by_id(connection, app_id=app_id)
        except Conflict:
            raise Conflict(f"The name {name} is taken", "Choose another one.") from None
        return App(**row)

    def visible_to(self, account: Account, name: str) -> App:
        """The app `name` if `account` owns it or is an admin; NotFound in every other case."""
        with self._database.transaction() as connection:
            row = self._database.queries.find_app(connection, name=name)
        if row is None or not (account.is_admin or row["owner_id"] == account.id):
            raise NotFound(
                f"There is no app {name}",
                f"`kurama apps` lists yours; `kurama create {name}` makes it.",
            )
        return App(**row)

    def get(self, app_id: int) -> App:
        """The app with this id; NotFound after it was destroyed."""
        with self._database.transaction() as connection:
            row = self._database.queries.find_app_by_id(connection, app_id=app_id)
        if row is None:
            raise NotFound("The app was destroyed in the meantime")
        return App(**row)

    def all(self, account: Account | None = None) -> Sequence[App]:
        """The apps that `account` may see, or all of them, by name."""
        owner = None if account is None or account.is_admin else account.id
        with self._database.transaction() as connection:
            rows = list(self._database.queries.list_apps(connection, owner_id=owner))
        return [App(**row) for row in rows]

    def delete(self, app: App) -> None:
        """Remove the app and all that belongs to it, but for its records: retention ends those."""
        queries = self._database.queries
        with self._database.transaction() as connection:
            queries.unlink_release(connection, app_id=app.id)
            queries.delete_releases(connection, app_id=app.id)
            queries.delete_app(connection, app_id=app.id)

    def config(self, app: App) -> list[ConfigVariable]:
        """The app's variables by name."""
        with self._database.transaction() as connection:
            rows = list(self._database.queries.list_config(connection, app_id=app.id))
        return [ConfigVariable(**row) for row in rows]

    def change_config(
        self, app: App, changes: Sequence[ConfigVariable], removals: Sequence[str]
    ) -> None:
        """Set and remove variables in one transaction."""
        queries = self._database.queries
        with self._database.transaction() as connection:
            for change in changes:
                queries.set_config(
                    connection,
                    app_id=app.id,
                    name=change.name,
                    value=change.value,
                    is_secret=change.is_secret,
                )
            for name in removals:
                queries.unset_config(connection, app_id=app.id, name=name)

    def formation(self, app: App) -> dict[str, int]:
        """How many replicas of each process were asked for; a process not named has its default."""
        with self._database.transaction() as connection:
            rows = list(self._database.queries.list_formation(connection, app_id=app.id))
        return {row["process"]: row["quantity"] for row in rows}

    def scale(self, app: App, quantities: Mapping[str, int]) -> None:
        """Remember how many replicas of each process are wanted."""
        with self._database.transaction() as connection:
            for process, quantity in quantities.items():
                self._database.queries.set_quantity(
                    connection, app_id=app.id, process=process, quantity=quantity
                )
