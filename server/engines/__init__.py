"""PostgreSQL, NATS and Caddy as Kurama starts them when it was given no URL.

Each module describes one engine: its files, its argument list, its address. Nothing here starts a
process that stays: `server/operate` hands these descriptions to the supervisor.
"""
