"""The control plane: interface, deploys, router, and the services that carry the records."""
