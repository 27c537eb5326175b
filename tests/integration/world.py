"""People of every standing with a row of everything, in front of a Supabase of their own, and real tokens for them.

Of its own, because the tests call every function there is, with the secret key as well.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid4

import httpx
import pytest

from local import supabase
from local.ports import free_port
from local.secrets import Secrets
from tests.database import campaigns
from tests.database.books import Books, event, opened
from tests.database.payments import Shop
from tests.database.payments import event as stripe_event

PEOPLE = ("unapproved", "stranger", "owner", "admin", "deactivated")
PERSONAS = ("anonymous", *PEOPLE, "secret")
PASSWORD = "a long enough password"
BUCKET = "media"
PNG = {"content-type": "image/png"}


@dataclass(repr=False)
class World:
    server: supabase.Lite
    books: Books
    http: httpx.Client
    threads: ThreadPoolExecutor
    people: dict[str, UUID]
    tokens: dict[str, str]
    jobs: dict[str, UUID]

    def headers(self, persona: str) -> dict[str, str]:
        """What a caller sends: the publishable key, with a token once signed in; or the secret key."""
        if persona == "secret":
            return {"apikey": self.server.keys.secret}
        token = self.tokens.get(persona)
        return {"apikey": self.server.keys.publishable} | ({"Authorization": f"Bearer {token}"} if token else {})

    def ask(self, persona: str, method: str, path: str, **more: object) -> httpx.Response:
        headers = self.headers(persona) | dict(more.pop("headers", {}))  # type: ignore[call-overload]
        return self.http.request(method, f"{self.server.url}{path}", headers=headers, **more)  # type: ignore[arg-type]

    def file_of(self, person: str) -> str:
        """The path of the file that a person has in Storage."""
        return f"{self.people[person]}/{self.jobs[person]}/0.png"


def _sign_up(server: supabase.Lite, http: httpx.Client, person: str) -> tuple[UUID, str]:
    """A new account and a token from a real sign-in."""
    account = {"email": f"{person}-{uuid4().hex}@example.test", "password": PASSWORD}
    headers = {"apikey": server.keys.publishable}
    data = {"full_name": person.title()}
    http.post(f"{server.url}/auth/v1/signup", headers=headers, json=account | {"data": data}).raise_for_status()
    url = f"{server.url}/auth/v1/token?grant_type=password"
    answer = http.post(url, headers=headers, json=account).raise_for_status().json()
    return UUID(answer["user"]["id"]), answer["access_token"]


def _fill(books: Books, user: UUID) -> UUID:
    """One row of everything that belongs to a person, made by the functions that the product calls; returns a job."""
    shop = Shop(books)
    job = books.submitted(user, units=Decimal(1000))
    books.deliver(event(job))
    books.call("set_own_balance", p_actor=user, p_amount=Decimal(5))
    books.call("note_product_event", p_user=user, p_event="packs_seen", p_key="1")
    books.call("set_monthly_cap", p_actor=books.admin, p_user=user, p_cap=Decimal("0.01"))
    books.call("raise_due_alerts", p_deliver=False)
    books.call("set_monthly_cap", p_actor=books.admin, p_user=user, p_cap=None)
    order = shop.bought(user)
    shop.deliver(stripe_event("refund.created", order.refund(100)))
    shop.deliver(stripe_event("charge.dispute.created", order.dispute(cents=100)))
    books.call(
        "remember_input",
        p_user=user,
        p_sha256=user.hex * 2,
        p_fal_url="https://v3.fal.media/files/1.png",
        p_media_type="image/png",
        p_size_bytes=10,
    )
    _save_preset(books, user, "Mine")
    for visibility in ("private", "team"):
        campaign = campaigns.new_campaign(books, user, clips=1, p_visibility=visibility)
        clips = campaigns.clips_of(books, campaign)
        campaigns.make(books, user, clips[0])
        books.call(
            "start_campaign_run",
            p_run=uuid4(),
            p_actor=user,
            p_campaign=campaign,
            p_first_step=campaigns.FRAME,
            p_last_step=campaigns.FRAME,
            p_clips=campaigns.uuids(clips),
            p_confirmed_credits=0,
        )
    return job


def _save_preset(books: Books, user: UUID, name: str) -> UUID:
    preset = uuid4()
    settings = {"p_generation_type": "image_flux_schnell", "p_input_params": {"shape": "wide"}}
    books.call("save_preset", p_preset=preset, p_actor=user, p_name=name, **settings)
    return preset


def _fill_team(books: Books) -> None:
    """One row of everything that belongs to nobody, or to everybody."""
    preset = _save_preset(books, books.admin, "House style")
    books.call("edit_preset", p_actor=books.admin, p_preset=preset, p_shared=True)
    books.call("set_team_balance", p_actor=books.admin, p_amount=Decimal(50))
    books.owner.execute("update generation_types set unit_price_usd = unit_price_usd * 2")
    books.owner.execute(
        "insert into fal_usage_daily (day, fal_endpoint, fal_usd, quantity, unit)"
        " values ('2026-11-20', 'fal-ai/flux/schnell', 1.5, 500, 'megapixels')"
    )
    books.owner.execute(
        "insert into fal_foreign_charges (request_id, fal_endpoint, charged_at, usd)"
        " values ('elsewhere', 'fal-ai/flux/schnell', '2026-11-20', 1)"
    )
    books.call("run_audit", p_actor=books.admin)


@contextmanager
def inhabited(server: supabase.Lite) -> Iterator[World]:
    """A running Supabase with everybody in it: each person has rows of their own, so what one sees tells which."""
    with (
        httpx.Client(timeout=30, limits=httpx.Limits(max_keepalive_connections=8)) as http,
        opened(server.database_url) as books,
        ThreadPoolExecutor(4) as threads,
    ):
        signed = {person: _sign_up(server, http, person) for person in PEOPLE}
        world = World(
            server,
            books,
            http,
            threads,
            people={person: user for person, (user, _) in signed.items()},
            tokens={person: token for person, (_, token) in signed.items()},
            jobs={},
        )
        books.open_session(world.people["admin"], is_admin_email=True)
        for person, user in world.people.items():
            books.call("approve_person", p_actor=books.admin, p_user=user, p_welcome_credits=500)
            books.call("grant_credits", p_actor=books.admin, p_user=user, p_amount=500, p_reason="Work", p_key=person)
            world.jobs[person] = _fill(books, user)
            path = f"/storage/v1/object/{BUCKET}/{world.file_of(person)}"
            world.ask("secret", "POST", path, content=person.encode(), headers=PNG).raise_for_status()
        _fill_team(books)
        books.call("set_active", p_actor=books.admin, p_user=world.people["deactivated"], p_on=False)
        # Nobody loses an approval in the product; here, so that somebody unapproved has something to look for.
        books.owner.execute("update profiles set is_approved = false where user_id = %s", (world.people["unapproved"],))
        yield world


@pytest.fixture(name="world", scope="module")
def world_fixture(
    secrets: Secrets, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    keys = supabase.Keys(secrets.publishable_key, secrets.secret_key, secrets.jwt_secret)
    server = supabase.Lite(folder, free_port(), new_database(), keys, folder / "supabase.log")
    try:
        server.start()
        with inhabited(server) as world:
            yield world
    finally:
        server.stop()
