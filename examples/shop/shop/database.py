"""The database file. KURAMA_DATA_DIR outlives releases; elsewhere it is the current folder."""

import os
import sqlite3
from pathlib import Path

import click
from flask import g

_PRODUCTS = (
    (1, "Teapot", 3900),
    (2, "Sieve", 900),
    (3, "Kettle", 5400),
    (4, "Tea caddy", 1800),
    (5, "Bowl", 1200),
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS products (id INTEGER PRIMARY KEY, name TEXT, cents INTEGER);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, cents INTEGER, made_at TEXT DEFAULT CURRENT_TIMESTAMP
);
"""


def path() -> Path:
    """Where the file is."""
    return Path(os.environ.get("KURAMA_DATA_DIR", ".")) / "shop.sqlite"


@click.command()
def prepare() -> None:
    """Make the tables and the products, where they are not there yet."""
    with sqlite3.connect(path()) as connection:
        connection.executescript(_SCHEMA)
        connection.executemany("INSERT OR IGNORE INTO products VALUES (?, ?, ?)", _PRODUCTS)
    click.echo(f"The database is ready: {path()}")


def connection() -> sqlite3.Connection:
    """This request's connection."""
    if "connection" not in g:
        g.connection = sqlite3.connect(path(), timeout=5)
        g.connection.row_factory = sqlite3.Row
    return g.connection


def close(_error: BaseException | None = None) -> None:
    """Close this request's connection, if it has one."""
    opened = g.pop("connection", None)
    if opened is not None:
        opened.close()
