"""What Caddy is told: which host belongs to which app, and which replicas answer for it.

Who answers stands in small files that Caddy reads with each request, so that a switch of replicas
is a rename and not a new configuration: Caddy closes idle keep-alive connections when its
configuration changes, and a client's request may just be on its way in one of them
(docs/decisions/0003-upstreams-in-files.md).
"""
