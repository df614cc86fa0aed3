"""The HTTP API and the git server: routes, and nothing that a route does not need."""
