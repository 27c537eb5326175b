"""Somebody has a person's token and the publishable key, and tries what an attacker tries: every road but the front."""

import base64
import hashlib
import hmac
import json
import time

import httpx
import pytest

from tests.integration.world import World

THIEF = "stranger"
SCHEMAS = ("private", "auth", "storage", "pg_catalog", "information_schema", "supabase_migrations", "graphql_public")
# Other tables through what is one's own, each way round.
EMBEDDED = (
    "campaigns?select=*,owner:profiles!campaigns_owner_id_fkey(*)",
    "campaigns?select=*,campaign_runs(*,profiles(*))",
    "generation_types?select=*,generation_jobs(*),spend_daily(*),generation_logs(*)",
    "credit_packs?select=*,credit_purchases(*),product_events(*)",
    "credit_accounts?select=*,credit_entries(*)",
    "profiles?select=*,admin_actions(*)",
    "generation_jobs?select=*&or=(user_id.not.is.null,id.not.is.null)",
    "profiles?select=email&order=monthly_cap_usd&limit=1000",
    "profiles?select=email::int",
    "webhook_events?select=payload::text::int",
)
PROFILE = {
    "role": "admin",
    "is_approved": True,
    "is_unmetered": True,
    "monthly_cap_usd": None,
    "email": "x@example.test",
}


def private_facts(world: World) -> set[str]:
    """What the owner has and shares with nobody, and the addresses of everybody else."""
    owner = world.people["owner"]
    facts = world.books.all("select id::text as fact from credit_purchases where user_id = %s", owner)
    facts += world.books.all("select idempotency_key as fact from credit_entries where user_id = %s", owner)
    facts += world.books.all("select email as fact from profiles where user_id <> %s", world.people[THIEF])
    return {row["fact"] for row in facts} | {str(world.jobs["owner"])}


def test_rows_of_others_do_not_come_along_with_ones_own(world: World) -> None:
    secret = private_facts(world)
    for path in EMBEDDED:
        answer = world.ask(THIEF, "GET", f"/rest/v1/{path}")
        assert not [fact for fact in secret if fact in answer.text], path


def test_other_schemas_are_not_there(world: World) -> None:
    for schema in SCHEMAS:
        for method, path, header in (
            ("GET", "app_sessions?select=*", "Accept-Profile"),
            ("GET", "users?select=*", "Accept-Profile"),
            ("POST", "rpc/is_admin", "Content-Profile"),
        ):
            body = {} if method == "POST" else None
            answer = world.ask(THIEF, method, f"/rest/v1/{path}", headers={header: schema}, json=body)
            assert (answer.status_code, answer.json()["code"]) == (406, "PGRST106"), (schema, path)


@pytest.mark.parametrize("function", ["graphql", "pg_sleep", "is_admin", "post_entry", "settle", "query", "exec_sql"])
def test_functions_of_other_schemas_are_not_reached_by_their_name(world: World, function: str) -> None:
    answer = world.ask(THIEF, "POST", f"/rest/v1/rpc/{function}", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "PGRST202")


def test_a_count_counts_ones_own(world: World) -> None:
    for table in ("profiles", "credit_entries", "webhook_events", "credit_purchases"):
        headers = {"Prefer": "count=exact"}
        told = world.ask(THIEF, "HEAD", f"/rest/v1/{table}?select=*", headers=headers).headers["content-range"]
        seen = len(world.ask(THIEF, "GET", f"/rest/v1/{table}?select=*").json())
        assert int(told.rpartition("/")[2]) == seen, table
    plan = world.ask(THIEF, "GET", "/rest/v1/profiles", headers={"Accept": "application/vnd.pgrst.plan+json"})
    assert plan.status_code == 406
    described = world.ask(THIEF, "GET", "/rest/v1/")
    assert "generation_jobs" not in described.text


def test_nobody_makes_themselves_an_admin(world: World) -> None:
    me = world.people[THIEF]
    row = f"/rest/v1/profiles?user_id=eq.{me}"
    merge = {"Prefer": "resolution=merge-duplicates"}
    attempts = [
        *(world.ask(THIEF, "PATCH", row, json={"full_name": "Me", name: value}) for name, value in PROFILE.items()),
        world.ask(THIEF, "PATCH", f"{row}&columns=full_name,role", json={"full_name": "Me", "role": "admin"}),
        world.ask(THIEF, "PUT", row, json={"user_id": str(me)} | PROFILE),
        world.ask(THIEF, "POST", "/rest/v1/profiles", json={"user_id": str(me)} | PROFILE, headers=merge),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in attempts} == {(403, "42501")}
    metadata = {"role": "service_role", "app_metadata": {"role": "admin"}, "data": {"role": "admin"}}
    world.ask(THIEF, "PUT", "/auth/v1/user", json=metadata)
    assert world.ask(THIEF, "GET", "/rest/v1/webhook_events?select=id").json() == []
    assert world.books.one("select role, is_unmetered from profiles where user_id = %s", me) == {
        "role": "user",
        "is_unmetered": False,
    }


def test_a_sign_up_past_our_page_waits_like_any_other(world: World) -> None:
    account = {"email": "past@example.test", "password": "a long enough password", "role": "service_role"}
    told = {"full_name": "=cmd()\u202e\r\nBcc: x", "role": "admin", "is_approved": True}
    world.ask("anonymous", "POST", "/auth/v1/signup", json=account | {"data": told, "app_metadata": told})
    profile = world.books.one("select role, is_approved, full_name from profiles where email = 'past@example.test'")
    assert profile == {"role": "user", "is_approved": False, "full_name": "=cmd() Bcc: x"}
    for nobody in ({}, {"password": "a long enough password"}, {"data": told}):
        assert world.ask("anonymous", "POST", "/auth/v1/signup", json=nobody).status_code == 422


def test_a_name_is_one_line_that_reads_as_it_is_written(world: World) -> None:
    row = f"/rest/v1/profiles?user_id=eq.{world.people[THIEF]}"
    for name in ("two\nlines", "turned \u202e around", "x" * 121):
        assert not world.ask(THIEF, "PATCH", row, json={"full_name": name}).is_success
    assert world.ask(THIEF, "PATCH", row, json={"full_name": "Zoë O'Neil-Łuk"}).is_success


def test_the_admin_side_of_sign_in_is_closed(world: World) -> None:
    owner = world.people["owner"]
    for method, path in (
        ("GET", "admin/users"),
        ("GET", f"admin/users/{owner}"),
        ("PUT", f"admin/users/{owner}"),
        ("DELETE", f"admin/users/{owner}"),
        ("POST", "admin/generate_link"),
        ("POST", "invite"),
    ):
        for persona in ("anonymous", THIEF, "admin"):
            answer = world.ask(
                persona, method, f"/auth/v1/{path}", json=None if method == "GET" else {"email": "a@b.test"}
            )
            assert "@example.test" not in answer.text, (method, path, persona)
    assert world.books.value("select count(*) from auth.users where id = %s", owner) == 1


def token(claims: dict[str, object], key: str | None, algorithm: str = "HS256") -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm, "typ": "JWT"}, claims)]
    text = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    signature = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest() if key is not None else b""
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_token_that_was_not_issued_opens_nothing(world: World) -> None:
    def seen_with(value: str) -> httpx.Response:
        headers = {"apikey": world.server.keys.publishable, "Authorization": f"Bearer {value}"}
        return world.http.get(f"{world.server.url}/rest/v1/profiles?select=email", headers=headers)

    now = int(time.time())
    admin: dict[str, object] = {"sub": str(world.people["admin"]), "role": "authenticated", "exp": now + 600}
    head, body, signature = world.tokens[THIEF].split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    raised = token(claims | {"role": "service_role"}, "").split(".")[1]
    jwt_secret = world.server.keys.jwt
    for forged in (
        token(admin, None, "none"),
        token(admin, world.server.keys.publishable),
        token(admin, ""),
        token(admin | {"role": "service_role"}, "super-secret-jwt-token-with-at-least-32-characters-long"),
        token(admin | {"exp": now - 60}, jwt_secret),
        f"{head}.{raised}.{signature}",
        f"{head}.{body}.",
    ):
        assert seen_with(forged).status_code == 401, forged
    assert seen_with(world.tokens[THIEF]).status_code == 200
