"""What every answer tells browsers, and who may leave files here."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
import streamlit
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core import sessions
from core.errors import DatabaseUnavailable
from core.settings import Settings, load
from tests.unit.ui.doubles import person
from ui import policy, web
from ui.uploads import PATH, UploadsByPeople

LOCAL = load({"SUPABASE_URL": "http://127.0.0.1:8610", "FAL_MEDIA_HOSTS": "127.0.0.1:8620"})


def rules(settings: Settings) -> dict[str, set[str]]:
    named = (rule.split() for rule in policy.content_policy(settings).split(";"))
    return {name: set(sources) for name, *sources in named}


def test_scripts_come_from_ourselves_and_pictures_from_where_they_are_kept() -> None:
    found = rules(load({"SUPABASE_URL": "https://db.studio.test/"}))
    assert not {"'unsafe-inline'", "*", "https:", "data:", "blob:"} & found["script-src"]
    media = {"https://db.studio.test", "https://v3b.fal.media", "https://v3.fal.media", "https://fal.media"}
    assert media <= found["img-src"]
    assert media <= found["media-src"]
    assert found["connect-src"] == {"'self'", "blob:"}
    assert found["form-action"] == {"'self'", "https://checkout.stripe.com"}
    assert (found["frame-ancestors"], found["object-src"]) == ({"'self'"}, {"'none'"})


def test_simulators_are_let_in_where_they_are_set() -> None:
    found = rules(load({"STRIPE_API_URL": "http://127.0.0.1:8630", "FAL_MEDIA_HOSTS": "127.0.0.1:8620"}))
    assert found["form-action"] == {"'self'", "http://127.0.0.1:8630"}
    assert "http://127.0.0.1:8620" in found["img-src"]


def test_the_page_of_streamlit_has_no_script_that_the_policy_does_not_know() -> None:
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text()
    assert page.count("<script>") == len(policy._inline_scripts()) > 0
    assert "<style" not in page


def test_only_production_asks_for_https_from_now_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "get_settings", lambda: LOCAL)
    assert "Strict-Transport-Security" not in policy.headers()
    monkeypatch.setattr(policy, "get_settings", lambda: _Production())
    assert policy.headers()["Strict-Transport-Security"] == "max-age=31536000"


class _Production:
    """Just what the policy asks of settings."""

    is_production = True
    supabase_url = "https://db.studio.test"
    stripe_api_url = "https://api.stripe.com"
    fal_media_hosts = ("fal.media",)


def answer_to(method: str, path: str, cookies: dict[str, str] | None = None) -> httpx.Response:
    """What an app behind both middlewares answers; it reads uploads and says how much it got."""

    async def upload(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())), headers={"Referrer-Policy": "no-referrer"})

    async def send() -> httpx.Response:
        app = Starlette(
            routes=[Route("/{path:path}", upload, methods=["GET", "PUT", "OPTIONS", "DELETE"])],
            middleware=[Middleware(web.SecurityHeaders), Middleware(UploadsByPeople)],
        )
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", cookies=cookies) as client:
            return await client.request(method, path, content=b"x" * 10 if method == "PUT" else None)

    return asyncio.run(send())


def test_every_answer_has_the_headers_and_may_say_more_itself() -> None:
    found = answer_to("GET", "/jobs").headers
    for name in ("content-security-policy", "x-frame-options", "x-content-type-options", "permissions-policy"):
        assert found[name]
    assert found.get_list("referrer-policy") == ["no-referrer"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_files_are_taken_from_people_who_are_in_alone(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    known: dict[str | None, Any] = {"in": person(), "waiting": person(is_approved=False)}
    monkeypatch.setattr(sessions, "current", lambda cookie: known.get(cookie))

    def status(cookie: str) -> int:
        return answer_to(method, f"{PATH}session/file", {sessions.COOKIE_NAME: cookie}).status_code

    assert [status(cookie) for cookie in ("in", "waiting", "unknown", "")] == [200, 403, 403, 403]
    assert answer_to("PUT", "/elsewhere").text == "10"


def test_while_nobody_can_be_told_apart_nothing_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_cookie: str | None) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(sessions, "current", away)
    assert answer_to("PUT", f"{PATH}session/file").status_code == 503
