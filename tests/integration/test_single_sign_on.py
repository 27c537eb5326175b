"""Single sign-on over real HTTP: real pages, a real OpenID Connect provider, and what hosted Supabase answers."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from core import sessions
from core.sealing import hash_cookie
from tests.conftest import Serve, SupabaseStack
from tests.sso import company as companies
from tests.sso.company import CLIENT_SECRET, Company, Visitor

Rows = Callable[..., list[tuple[Any, ...]]]

PASSWORD = "a long password for tests"
BOSS = f"boss-{uuid4().hex}@example.test"


@pytest.fixture(scope="module")
def company(serve: Serve, stack_environment: dict[str, str], supabase_stack: SupabaseStack) -> Company:
    return companies.start(serve, stack_environment | {"ADMIN_EMAILS": BOSS}, supabase_stack)


@pytest.fixture
def new_visitor(company: Company) -> Iterator[Callable[[], Visitor]]:
    opened: list[Visitor] = []

    def arrive() -> Visitor:
        opened.append(Visitor(company))
        return opened[-1]

    yield arrive
    for visitor in opened:
        visitor.http.close()


@pytest.fixture
def visitor(new_visitor: Callable[[], Visitor]) -> Visitor:
    return new_visitor()


@pytest.fixture
def rows(supabase_stack: SupabaseStack) -> Iterator[Rows]:
    with psycopg.connect(supabase_stack.database_url, autocommit=True) as connection:
        yield lambda query, *values: connection.execute(query, values).fetchall()


def someone() -> str:
    return f"{uuid4().hex}@example.test"


def error_of(answer: httpx.Response) -> str:
    """The code that the sign-in page is given; nobody was signed in."""
    assert answer.status_code == 303
    assert sessions.COOKIE_NAME not in answer.cookies
    location = urlsplit(answer.headers["location"])
    assert (location.netloc, location.path) == ("", "/")
    return parse_qs(location.query)["error"][0]


SESSIONS = """
    select p.full_name, p.role, p.is_approved, s.user_agent, count(*) over () from private.app_sessions s
    join public.profiles p using (user_id) where p.email = %s order by s.created_at
"""


def test_somebody_new_is_in_and_waits_like_everybody(company: Company, visitor: Visitor, rows: Rows) -> None:
    email = someone()
    answer = visitor.sign_in(email.upper(), "Ida Berg", next="/jobs?job=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?job=1")
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(sessions.COOKIE_NAME))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert rows(SESSIONS, email) == [("Ida Berg", "user", False, "visitor", 1)]
    assert company.asked_supabase() > 0


def test_it_is_the_same_account_however_one_signs_in(
    new_visitor: Callable[[], Visitor],
    rows: Rows,
) -> None:
    email, first, second = someone(), new_visitor(), new_visitor()
    first.http.post("/session/signup", data={"email": email, "password": PASSWORD, "full_name": "Ida of before"})
    first.http.post("/session/login", data={"email": email, "password": PASSWORD})
    second.sign_in(email)
    second.sign_in(email)  # which ends the session that this browser had
    assert rows(SESSIONS, email) == [("Ida of before", "user", False, "visitor", 2)] * 2
    again = first.http.post("/session/login", data={"email": email, "password": PASSWORD})
    assert sessions.COOKIE_NAME in again.cookies


def test_who_is_switched_off_stays_out(new_visitor: Callable[[], Visitor], rows: Rows) -> None:
    email = someone()
    new_visitor().sign_in(email)
    off = "update public.profiles set is_approved = true, approved_at = now(), is_active = false where email = %s"
    rows(f"{off} returning true", email)
    visitor = new_visitor()
    visitor.sign_in(email)
    cookie = visitor.http.cookies[sessions.COOKIE_NAME]
    ((context,),) = rows("select public.session_context(%s, 60)", hash_cookie(cookie))
    assert (context["is_active"], context["is_approved"]) == (False, True)  # and the page says that it is closed


def test_an_admin_by_configuration_is_one_once_the_provider_confirms_the_email(
    new_visitor: Callable[[], Visitor],
    rows: Rows,
) -> None:
    for mood in ("email not confirmed", "email not mentioned"):
        assert error_of(new_visitor().sign_in(BOSS, mood=mood)) == "SSO_UNVERIFIED"
    assert rows("select from public.profiles where email = %s", BOSS) == []
    new_visitor().sign_in(BOSS, "The Boss")
    assert [row[:3] for row in rows(SESSIONS, BOSS)] == [("The Boss", "admin", True)]


@pytest.mark.parametrize(
    ("mood", "code"),
    [
        ("email not confirmed", "SSO_UNVERIFIED"),
        ("email not mentioned", "SSO_UNVERIFIED"),
        ("for another client", "SSO_REFUSED"),
        ("with another nonce", "SSO_REFUSED"),
        ("of another issuer", "SSO_REFUSED"),
        ("run out", "SSO_REFUSED"),
        ("signed by somebody else", "SSO_REFUSED"),
        ("without id token", "SSO_REFUSED"),
        ("code refused", "SSO_STALE"),
        ("out of order", "SSO_AWAY"),
    ],
)
def test_what_the_provider_must_not_say_lets_nobody_in_and_supabase_is_not_asked(
    company: Company,
    visitor: Visitor,
    mood: str,
    code: str,
    rows: Rows,
) -> None:
    email, asked = someone(), company.asked_supabase()
    answer = visitor.sign_in(email, mood=mood, next="/credits")
    assert error_of(answer) == code
    assert parse_qs(urlsplit(answer.headers["location"]).query)["next"] == ["/credits"]
    assert rows("select from public.profiles where email = %s", email) == []
    assert company.asked_supabase() == asked


def test_who_is_refused_there_is_told_so(visitor: Visitor) -> None:
    answer = visitor.sign_in(someone(), answer="no", next="/jobs")
    assert error_of(answer) == "SSO_DENIED"
    assert "b%3E" not in answer.headers["location"]  # nothing of what they wrote


def test_an_answer_belongs_to_the_browser_that_asked(new_visitor: Callable[[], Visitor]) -> None:
    attacker, victim = new_visitor(), new_visitor()
    way_back = attacker.decide(attacker.begin(), someone(), "Eve", "as it should", "yes").headers["location"]
    assert error_of(victim.http.get(way_back)) == "SSO_STALE"  # a browser that began nothing
    victim.begin()
    assert error_of(victim.http.get(way_back)) == "SSO_STALE"  # one that began something else
    victim.http.cookies.set("atelier_sso", "made-up", domain="127.0.0.1", path="/")
    assert error_of(victim.http.get(way_back)) == "SSO_STALE"
    assert error_of(victim.http.get("/session/sso/callback?error=access_denied&state=guessed")) == "SSO_STALE"
    assert attacker.http.get(way_back).headers["location"] == "/"


def test_an_answer_works_once(visitor: Visitor) -> None:
    way_back = visitor.decide(visitor.begin(), someone(), "Ida Berg", "as it should", "yes").headers["location"]
    flow = visitor.http.cookies["atelier_sso"]
    assert sessions.COOKIE_NAME in visitor.http.get(way_back).cookies
    assert "atelier_sso" not in visitor.http.cookies
    assert error_of(visitor.http.get(way_back)) == "SSO_STALE"  # the browser has forgotten the flow
    visitor.http.cookies.set("atelier_sso", flow, domain="127.0.0.1", path="/")
    assert error_of(visitor.http.get(way_back)) == "SSO_STALE"  # and the provider the code


def test_guessing_codes_ends_soon(visitor: Visitor) -> None:
    state = parse_qs(urlsplit(visitor.begin().headers["location"]).query)["state"][0]
    flow = visitor.http.cookies["atelier_sso"]

    def guess() -> str:
        visitor.http.cookies.set("atelier_sso", flow, domain="127.0.0.1", path="/")
        return error_of(visitor.http.get(f"/session/sso/callback?code={uuid4().hex}&state={state}"))

    assert [guess() for _ in range(12)] == ["SSO_STALE"] * 10 + ["TOO_MANY"] * 2


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "/session/logout"])
def test_it_ends_at_a_page_of_ours(visitor: Visitor, target: str) -> None:
    assert visitor.sign_in(someone(), next=target).headers["location"] == "/"


def test_a_session_that_was_there_before_ends(
    visitor: Visitor,
    rows: Rows,
) -> None:
    planted, own = someone(), someone()
    visitor.sign_in(planted)
    visitor.sign_in(own)
    assert rows(SESSIONS, planted) == []
    assert len(rows(SESSIONS, own)) == 1


def test_what_is_sent_to_the_provider(company: Company, visitor: Visitor) -> None:
    started = visitor.begin(next="/jobs")
    address = urlsplit(started.headers["location"])
    asked = dict(parse_qsl(address.query))
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{company.provider}/authorize"
    assert asked["redirect_uri"] == f"{company.url}/session/sso/callback"
    assert (asked["response_type"], asked["scope"]) == ("code", "openid email profile")
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) == 64  # as Supabase wants it
    again = dict(parse_qsl(urlsplit(visitor.begin().headers["location"]).query))
    assert all(asked[name] != again[name] for name in ("state", "nonce", "code_challenge"))
    (cookie,) = started.headers.get_list("set-cookie")
    assert "HttpOnly" in cookie
    assert "Max-Age=600" in cookie
    assert not any(value in cookie for value in (asked["state"], asked["nonce"], "jobs"))  # sealed


def test_another_site_gets_as_far_as_the_button(visitor: Visitor) -> None:
    started = visitor.http.get("/session/sso", headers={"Sec-Fetch-Site": "cross-site"})
    assert (started.status_code, started.headers["location"]) == (303, "/")
    assert not started.cookies


def test_the_log_says_why_and_holds_no_secret(company: Company, visitor: Visitor) -> None:
    way_back = visitor.decide(visitor.begin(), someone(), "Ida Berg", "for another client", "yes").headers["location"]
    flow, answer = visitor.http.cookies["atelier_sso"], dict(parse_qsl(urlsplit(way_back).query))
    visitor.http.get(way_back)
    visitor.sign_in(someone())
    log = company.log.read_text(encoding="utf-8")
    assert "single_sign_on_refused" in log
    assert '"SSO_REFUSED"' in log
    secret = (CLIENT_SECRET, flow, answer["code"], visitor.http.cookies[sessions.COOKIE_NAME], "eyJ")
    assert not any(value in log for value in secret)
