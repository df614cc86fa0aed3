"""A small shop: products, a cart, orders. `create_app` makes the application."""

import os

from flask import Flask

from shop import database, pages


def create_app() -> Flask:
    """The application; `flask --app shop prepare` makes its database ready."""
    app = Flask(__name__)
    # Without a SECRET_KEY of its own, carts last as long as the process.
    app.secret_key = os.environ.get("SECRET_KEY") or os.urandom(32)
    app.register_blueprint(pages.blueprint)
    app.teardown_appcontext(database.close)
    app.cli.add_command(database.prepare)
    app.logger.info("the shop opens, with its data in %s", database.path())
    return app
