"""Where the services find the database and the bus: as configured, or the embedded engine's."""

from server.credentials import Credentials
from server.engines.nats_server import EmbeddedNats
from server.engines.postgres import EmbeddedPostgres
from server.settings import Settings


def database_url(settings: Settings) -> str:
    """The libpq URL of Kurama's database."""
    return settings.database.url.get_secret_value() or EmbeddedPostgres(settings).url


def bus_url(settings: Settings) -> str:
    """The URL of the bus; it may hold a password."""
    configured = settings.bus.url.get_secret_value()
    return configured or EmbeddedNats(settings, Credentials(settings.home)).url
