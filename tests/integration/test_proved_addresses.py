"""An address makes an admin only once it is proved: by the mail of Supabase, which production must have switched on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from bench.inside import forget
from core import mailed_links, sessions, settings
from core.errors import SignInRefused
from local import supabase
from local.ports import free_port
from local.secrets import Secrets
from tests.integration import mails

PASSWORD = "a long enough password"


@dataclass
class Door:
    """Atelier in front of a Supabase of its own; the next admin is whoever proves `admin`."""

    server: supabase.Lite
    admin: str

    def sign_in(self, email: str) -> str:
        sessions.sign_in(email, PASSWORD, address="192.0.2.9", user_agent="test")
        with psycopg.connect(self.server.database_url) as connection:
            row = connection.execute("select role from profiles where email = %s", (email,)).fetchone()
        assert row is not None
        return str(row[0])

    def open_mail(self, email: str) -> None:
        """Follow the link that the mail to this address has, and press its button."""
        link = mails.link_to(self.server.url, email)
        assert (link.path, link.params["type"]) == ("/confirm", "email")
        assert mailed_links.confirm(link.params["token_hash"], address="192.0.2.9") == email
        with pytest.raises(SignInRefused) as refused:
            mailed_links.confirm(link.params["token_hash"], address="192.0.2.9")
        assert refused.value.code == "LINK_USED"


@pytest.fixture(params=[True, False], ids=["with mails", "without mails"])
def confirms(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def door(
    confirms: bool,
    secrets: Secrets,
    new_database: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stack_environment: dict[str, str],
) -> Iterator[Door]:
    keys = supabase.Keys(secrets.publishable_key, secrets.secret_key, secrets.jwt_secret)
    server = supabase.Lite(
        directory=tmp_path,
        port=free_port(),
        database_url=new_database(),
        keys=keys,
        log=tmp_path / "supabase.log",
        confirm_addresses=confirms,
    )
    admin = f"boss-{uuid4().hex}@example.test"
    for name in settings.ENVIRONMENT_NAMES:
        monkeypatch.setenv(name, stack_environment.get(name, ""))
    monkeypatch.setenv("SUPABASE_URL", server.url)
    monkeypatch.setenv("ADMIN_EMAILS", admin)
    try:
        server.start()
        forget()
        yield Door(server, admin)
    finally:
        server.stop()
        forget()


def test_an_address_must_be_proved(door: Door, confirms: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions.sign_up(door.admin, PASSWORD, "Whoever")
    if confirms:
        with pytest.raises(SignInRefused) as refused:
            door.sign_in(door.admin)
        assert refused.value.code == "NOT_CONFIRMED"
        door.open_mail(door.admin)
    monkeypatch.setenv("APP_ENV", "production")
    forget()
    assert door.sign_in(door.admin) == ("admin" if confirms else "user")
    monkeypatch.setenv("APP_ENV", "local")
    forget()
    assert door.sign_in(door.admin) == "admin"
