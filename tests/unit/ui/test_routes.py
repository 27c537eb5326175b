"""The routes beside Streamlit: sign-in, sign-up, sign-out, forgotten password, static files."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from core import sessions
from core.errors import DatabaseUnavailable, SignInRefused
from ui import web
from ui.routes import ROUTES

HERE = "http://testserver"
GOOD = {"email": "mara@studio.example", "password": "a good password"}


class Sessions:
    """Stands in for `core.sessions` and remembers what was asked of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.raises: Exception | None = None

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if self.raises is not None:
            raise self.raises

    def sign_in(self, email: str, password: str, *, address: str, user_agent: str) -> sessions.SignedIn:
        self._note("sign_in", email, password, address, user_agent)
        return sessions.SignedIn("opaque", 3600)

    def sign_up(self, email: str, password: str, full_name: str, *, address: str) -> None:
        self._note("sign_up", email, password, full_name, address)

    def sign_out(self, cookie: str | None) -> None:
        self._note("sign_out", cookie)

    def request_password_reset(self, email: str, *, address: str) -> None:
        self._note("forgot", email, address)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Sessions:
    double = Sessions()
    for name in ("sign_in", "sign_up", "sign_out", "request_password_reset"):
        monkeypatch.setattr(sessions, name, getattr(double, name))
    monkeypatch.setattr(web, "EVEN_SECONDS", 0.0)
    return double


class Browser:
    """Sends requests to our routes in this process and follows nothing by itself."""

    def __init__(self) -> None:
        self.base_url = HERE
        self.cookies: dict[str, str] = {}

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            app = Starlette(routes=list(ROUTES), middleware=[Middleware(web.SecurityHeaders)])
            transport = httpx.ASGITransport(app=app, client=("10.0.0.7", 1234))
            headers = {"user-agent": "test", **options.pop("headers", {})}
            async with httpx.AsyncClient(transport=transport, base_url=self.base_url, cookies=self.cookies) as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(send())

    def get(self, path: str) -> httpx.Response:
        return self._send("GET", path)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self._send("POST", path, **options)


@pytest.fixture
def browser(double: Sessions) -> Browser:
    assert double.calls == []
    return Browser()


def cookie(response: Any, name: str) -> str:
    """The Set-Cookie line of a name, lower case."""
    lines: list[str] = response.headers.get_list("set-cookie")
    return next((line.lower() for line in lines if line.startswith(f"{name}=")), "")


def test_signing_in_sets_a_cookie_that_scripts_cannot_read(browser: Browser, double: Sessions) -> None:
    response = browser.post("/session/login", data=GOOD | {"next": "/jobs?job=1"})
    assert response.status_code == 303
    assert response.headers["location"] == "/jobs?job=1"
    set_cookie = cookie(response, sessions.COOKIE_NAME)
    assert all(part in set_cookie for part in ("opaque", "httponly", "samesite=lax", "path=/", "max-age=3600"))
    assert "secure" not in set_cookie
    assert double.calls == [("sign_in", GOOD["email"], GOOD["password"], "10.0.0.7", "test"), ("sign_out", None)]
    assert GOOD["password"] not in str(response.headers)


def test_the_cookie_is_secure_over_https_and_bound_to_the_host_in_production(
    browser: Browser, double: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.base_url = "https://testserver"
    assert "secure" in cookie(browser.post("/session/login", data=GOOD), sessions.COOKIE_NAME)
    browser.base_url = HERE
    production = type("Settings", (), {"is_production": True})()
    monkeypatch.setattr(web, "get_settings", lambda: production)
    bound = f"__Host-{sessions.COOKIE_NAME}"
    for response in (browser.post("/session/login", data=GOOD), browser.post("/session/logout")):
        set_cookie = cookie(response, bound)
        # What a browser asks of a name with this prefix; it ignores the cookie otherwise, its removal too.
        assert all(part in set_cookie for part in ("secure", "path=/", "httponly"))
        assert "domain" not in set_cookie
    browser.cookies = {sessions.COOKIE_NAME: "planted by a sibling host", bound: "opaque"}
    browser.post("/session/logout")
    assert double.calls[-1] == ("sign_out", "opaque")


def test_signing_in_ends_what_the_browser_had_before(browser: Browser, double: Sessions) -> None:
    """Also a session that somebody planted: signing in never goes on with it."""
    browser.cookies[sessions.COOKIE_NAME] = "planted"
    response = browser.post("/session/login", data=GOOD)
    assert double.calls[-1] == ("sign_out", "planted")
    assert "opaque" in cookie(response, sessions.COOKIE_NAME)


def test_what_tells_who_has_an_account_takes_its_time(
    browser: Browser, double: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the work took: answers that could differ come at the same distance from the question."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(web, "EVEN_SECONDS", 1000.0)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    browser.post("/session/signup", data=GOOD | {"full_name": "New"})
    browser.post("/session/forgot", data=GOOD)
    for error in (SignInRefused("No.", code="WRONG"), SignInRefused("Later.", code="TOO_MANY")):
        double.raises = error
        for path in ("login", "signup", "forgot"):
            browser.post(f"/session/{path}", data=GOOD)
    assert len(waited) == 8
    assert all(0 < seconds <= 1000 for seconds in waited)


def test_a_refused_sign_in_says_a_code_and_keeps_the_email_only(browser: Browser, double: Sessions) -> None:
    double.raises = SignInRefused("<script>alert(1)</script>", code="WRONG")
    response = browser.post("/session/login", data=GOOD | {"next": "/jobs"})
    assert response.headers["location"] == "/?error=WRONG&next=%2Fjobs"
    assert "mara@studio.example" in cookie(response, web.EMAIL_COOKIE)
    assert not cookie(response, sessions.COOKIE_NAME)
    assert GOOD["password"] not in str(response.headers)


def test_an_unreachable_database_is_a_code_too(browser: Browser, double: Sessions) -> None:
    double.raises = DatabaseUnavailable("gone")
    assert browser.post("/session/login", data=GOOD).headers["location"] == "/?error=DATABASE_UNAVAILABLE"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/x\\..\\evil",
        "javascript:alert(1)",
        "jobs",
        "",
        "/session/logout",
        "/jobs\r\nSet-Cookie: a=b",
        "///evil.example",
        "/\u2028/evil.example",
        "/\tjobs",
    ],
)
def test_only_paths_of_this_app_are_followed(browser: Browser, target: str) -> None:
    assert browser.post("/session/login", data=GOOD | {"next": target}).headers["location"] == "/"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "none"}, 303),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": HERE}, 303),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://testserver.evil.example"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "cross-site", "origin": HERE}, 403),
        ({}, 303),
    ],
)
@pytest.mark.parametrize("path", ["login", "signup", "logout", "forgot"])
def test_other_sites_cannot_send_our_forms(
    browser: Browser, double: Sessions, path: str, headers: dict[str, str], status: int
) -> None:
    response = browser.post(f"/session/{path}", data=GOOD, headers=headers)
    assert response.status_code == status
    assert bool(double.calls) == (status == 303)


@pytest.mark.parametrize("path", ["login", "signup", "logout", "forgot"])
def test_actions_are_posts(browser: Browser, double: Sessions, path: str) -> None:
    assert browser.get(f"/session/{path}").status_code == 405
    assert double.calls == []


def test_signing_up_says_the_same_to_everybody(browser: Browser, double: Sessions) -> None:
    response = browser.post("/session/signup", data=GOOD | {"full_name": " Mara Costa "})
    assert response.headers["location"] == "/?notice=signed_up"
    assert double.calls == [("sign_up", GOOD["email"], GOOD["password"], "Mara Costa", "10.0.0.7")]
    assert not cookie(response, sessions.COOKIE_NAME)
    double.raises = SignInRefused("weak", code="WEAK_PASSWORD")
    assert browser.post("/session/signup", data=GOOD).headers["location"] == "/?view=signup&error=WEAK_PASSWORD"


def test_a_forgotten_password(browser: Browser, double: Sessions) -> None:
    assert browser.post("/session/forgot", data=GOOD).headers["location"] == "/?notice=reset_sent"
    assert double.calls == [("forgot", GOOD["email"], "10.0.0.7")]


def test_signing_out_takes_the_cookie_away_whatever_happens(browser: Browser, double: Sessions) -> None:
    browser.cookies[sessions.COOKIE_NAME] = "opaque"
    response = browser.post("/session/logout")
    assert response.headers["location"] == "/"
    assert "max-age=0" in cookie(response, sessions.COOKIE_NAME)
    assert double.calls == [("sign_out", "opaque")]
    double.raises = DatabaseUnavailable("gone")
    response = browser.post("/session/logout")
    assert response.headers["location"] == "/?error=DATABASE_UNAVAILABLE"
    assert "max-age=0" in cookie(response, sessions.COOKIE_NAME)


def test_forms_are_small_and_text(browser: Browser, double: Sessions) -> None:
    assert browser.post("/session/login", data=GOOD | {"password": "x" * 20_000}).status_code == 413
    assert browser.post("/session/login", content=b"\xff\xfe=1").status_code == 400
    assert browser.post("/session/login", content="&".join(f"a{n}=1" for n in range(50))).status_code == 400
    assert double.calls == []


def test_static_files(browser: Browser) -> None:
    response = browser.get("/app/static/wordmark.svg")
    assert response.headers["content-type"] == "image/svg+xml"
    assert browser.get("/app/static/../pyproject.toml").status_code == 404
    assert browser.get("/app/static/%2e%2e/pyproject.toml").status_code == 404


def test_the_start_page_has_one_address(browser: Browser) -> None:
    assert browser.get("/generate?job=1").headers["location"] == "/?job=1"
