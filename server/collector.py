"""The collector: brings what replicas print from the workers to ingest.

python3 server/collector.py
"""

from server import service
from server.credentials import Credentials
from server.pipeline.collection import Collection
from server.pipeline.forwarder import Forwarder
from server.pipeline.journal import Journal
from server.service import Service
from server.workers.pool import local_worker


def main(this: Service) -> None:
    """Collect until a signal ends it."""
    settings = this.settings
    worker = local_worker(settings, "agent-collector.log")
    journal = Journal(settings.home / "collector" / f"{worker.name}.json")
    token = Credentials(settings.home).ingest_token
    forwarder = Forwarder(settings.ingest.host, settings.ingest.port, token)
    try:
        Collection(worker, journal, forwarder, this.heart.beat).run(this.stopping)
    finally:
        forwarder.close()
        worker.close()


if __name__ == "__main__":
    service.run("collector", main)
