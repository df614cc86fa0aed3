"""Names: what passes is safe in a path, a host name, a bus subject and an argument list."""

import pytest

from server import names
from server.errors import InvalidName

# What somebody types, or tries.
HOSTILE = [
    "",
    " ",
    "..",
    "../x",
    "a/b",
    "a\\b",
    "-rf",
    "--help",
    "shop\n",
    "\nshop",
    "sh\0op",
    "shop ",
    "shop;id",
    "$(id)",
    "a.b",
    "*",
    ">",
    "shöp",
    "ѕhop",  # noqa: RUF001 - a Cyrillic s
    "shop\N{ZERO WIDTH SPACE}",
    "shop%2e",
    "{file.x}",
]


@pytest.mark.parametrize("name", ["a", "shop", "shop-2", "a--b", "a1", "x" * 63])
def test_a_dns_label_names_an_app(name: str) -> None:
    """It becomes the first part of a host name, as it is."""
    assert names.app_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *HOSTILE,
        "x" * 64,
        "Shop",
        "SHOP",
        "shop-",
        "-shop",
        "-",
        "1shop",
        "sh_op",
        "\N{FULLWIDTH DIGIT ONE}shop",
    ],
)
def test_what_is_no_dns_label_names_no_app(name: str) -> None:
    """Nor what starts with a digit, which might pass for an address."""
    with pytest.raises(InvalidName, match="can't name an app"):
        names.app_name(name)


@pytest.mark.parametrize("name", sorted(names.RESERVED_APPS))
def test_the_platforms_own_words_name_no_app(name: str) -> None:
    """Each of them would pass as a label."""
    with pytest.raises(InvalidName, match="is kept for the platform"):
        names.app_name(name)
    assert names.app_name(f"{name}-app")


@pytest.mark.parametrize("name", ["A", "_", "a_1", "SECRET_KEY", "x" * 128, "KURAMA_THREADS"])
def test_a_shells_names_name_variables(name: str) -> None:
    """Letters, digits and _."""
    assert names.variable_name(name) == name


@pytest.mark.parametrize("name", [*HOSTILE, "1A", "A-B", "A=B", "A B", "x" * 129, "Ä"])
def test_other_names_name_no_variable(name: str) -> None:
    """What an environment, or a shell, would not take."""
    with pytest.raises(InvalidName, match="can't name a config variable"):
        names.variable_name(name)


@pytest.mark.parametrize("name", sorted(names.RESERVED_VARIABLES))
def test_the_platforms_variables_are_not_an_apps(name: str) -> None:
    """An app could otherwise listen elsewhere, or run other code."""
    with pytest.raises(InvalidName, match="is set by the platform"):
        names.variable_name(name)


@pytest.mark.parametrize("value", ["", "x", "a\nb", "=", "ü", "x" * 65536])
def test_a_value_may_be_any_text(value: str) -> None:
    """Lines and all."""
    assert names.variable_value("A", value) == value


def test_a_value_has_no_nul() -> None:
    """execve takes none; and the error doesn't show the value."""
    with pytest.raises(InvalidName, match="The value of KEY has a NUL") as caught:
        names.variable_value("KEY", "hush\0hush")
    assert "hush" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize("name", ["web", "worker", "w", "release-2", "x" * 30])
def test_a_procfiles_words_name_processes(name: str) -> None:
    """As in the Procfile."""
    assert names.process_kind(name) == name


@pytest.mark.parametrize("name", [*HOSTILE, "Web", "1web", "-", "x" * 31, "web.1", "we_b"])
def test_other_words_name_no_process(name: str) -> None:
    """A dot would be read as a replica's number."""
    with pytest.raises(InvalidName, match="can't name a process"):
        names.process_kind(name)


@pytest.mark.parametrize(
    ("text", "address"),
    [("a@b", "a@b"), ("Ada@Example.ORG", "ada@example.org"), ("a+b@c.d", "a+b@c.d")],
)
def test_an_address_is_one_whatever_its_case(text: str, address: str) -> None:
    """So that nobody has two accounts by accident."""
    assert names.email(text) == address


@pytest.mark.parametrize(
    "text", ["", "a", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "a@b\r\nBcc: x@y", "a\0@b", "x" * 300]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """A line's end in one would be a header of a mail."""
    with pytest.raises(InvalidName, match="is no e-mail address"):
        names.email(text)


@pytest.mark.parametrize("check", [names.app_name, names.variable_name, names.process_kind])
def test_an_error_shows_the_name_escaped_and_short(check: object) -> None:
    """It may stand in somebody's terminal, and in a log."""
    assert callable(check)
    with pytest.raises(InvalidName) as caught:
        check("\x1b[2J" + "x" * 100_000)
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "name",
    "SECRET_KEY API_TOKEN DB_PASSWORD passwd PASSPHRASE PRIVATE_PEM AWS_CREDENTIALS APIKEY API_KEY "
    "STRIPE_KEY KEY KEY_ID SENTRY_DSN DATABASE_URL HEROKU_DATABASE_URL REDIS_URL MONGODB_URL "
    "MONGO_ATLAS_URL AMQP_URL CELERY_BROKER_URL".split(),
)
def test_a_secrets_name_is_known(name: str) -> None:
    """In any case, as a word of the name."""
    assert names.looks_secret(name)
    assert names.looks_secret(name.lower())


@pytest.mark.parametrize(
    "name", "FLASK_APP DEBUG MONKEY KEYBOARD LOG_LEVEL BASE_URL GREETING TURKEY_SIZE".split()
)
def test_other_names_are_shown(name: str) -> None:
    """A word that only contains one is another word."""
    assert not names.looks_secret(name)
