"""The `kurama` command. It talks to the HTTP API only; the operator's commands it hands over."""
