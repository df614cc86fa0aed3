"""The control plane: interface, deploys, router, and the services that carry the records."""

__version__ = "0.1.0"
