"""The pages. /search is slow, and /checkout fails at times, as real ones do."""

import random
import time

from flask import (
    Blueprint,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.wrappers import Response

from shop import database

blueprint = Blueprint("pages", __name__)
_SEARCH_S = 0.25
_FAILS = 0.05


class PaymentRefused(Exception):
    """The bank said no."""


@blueprint.get("/")
def home() -> str:
    """Every product."""
    products = database.connection().execute("SELECT * FROM products ORDER BY id").fetchall()
    return render_template("home.html", products=products, cart=session.get("cart", []))


@blueprint.get("/products/<int:number>")
def product(number: int) -> str:
    """One product."""
    query = "SELECT * FROM products WHERE id = ?"
    found = database.connection().execute(query, (number,)).fetchone()
    if found is None:
        abort(404)
    return render_template("product.html", product=found)


@blueprint.get("/search")
def search() -> str:
    """Products by a part of their name; nobody has made this quick yet."""
    time.sleep(_SEARCH_S)
    text = request.args.get("q", "")
    query = "SELECT * FROM products WHERE name LIKE ? ORDER BY id"
    products = database.connection().execute(query, (f"%{text}%",)).fetchall()
    return render_template("home.html", products=products, cart=session.get("cart", []))


@blueprint.post("/cart")
def add() -> Response:
    """Put a product into the cart."""
    session["cart"] = [*session.get("cart", []), request.form.get("product", type=int) or 0]
    return redirect(url_for("pages.home"))


@blueprint.post("/checkout")
def checkout() -> str:
    """Pay for what is in the cart."""
    cart = session.get("cart") or [1]
    marks = ",".join("?" * len(cart))
    connection = database.connection()
    query = f"SELECT coalesce(sum(cents), 0) FROM products WHERE id IN ({marks})"  # noqa: S608
    cents = connection.execute(query, cart).fetchone()[0]
    if random.random() < _FAILS:  # noqa: S311 - no secret
        raise PaymentRefused(f"the bank refused {cents / 100:.2f}")
    with connection:
        number = connection.execute("INSERT INTO orders (cents) VALUES (?)", (cents,)).lastrowid
    current_app.logger.info("order %s paid: %.2f", number, cents / 100)
    session["cart"] = []
    return render_template("thanks.html", number=number, cents=cents)
