"""What somebody with a browser, a script or an account of their own could try against the pages, over real HTTP.

The pages are the real ones, served by Streamlit; this process stands for a second one beside them.
"""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from core import payments, sessions, stripe_api
from tests.conftest import StripeSimulator
from tests.integration.atelier import PASSWORD, Atelier
from tests.integration.strangers import (
    Browser,
    browsers_fixture,  # noqa: F401
    site_fixture,  # noqa: F401
)

ACTIONS = ("/session/login", "/session/logout", "/session/signup", "/session/forgot", "/checkout/start")
ACTIONS += ("/session/password", "/session/confirm")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
    ],
    ids=["cross-site", "another port", "an old browser", "a sandboxed frame"],
)
def test_other_sites_send_none_of_our_forms(
    atelier: Atelier, browsers: Callable[..., Browser], headers: dict[str, str]
) -> None:
    browser = browsers()
    browser.sign_in(atelier.new_marketer().email)
    for path in ACTIONS:
        form = {"email": "evil@example.test", "password": PASSWORD, "pack": "credits_100"}
        answer = browser.http.post(path, data=form, headers=headers)
        assert (answer.status_code, answer.headers.get_list("set-cookie")) == (403, []), path
        browser.http.get(path, headers=headers)  # a link from there does nothing either
    assert sessions.current(browser.cookie) is not None


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test", "/\\evil.test", "/%09/evil.test\t", "\r\n//x"])
def test_signing_in_leads_to_a_page_of_ours(atelier: Atelier, browsers: Callable[..., Browser], target: str) -> None:
    answer = browsers().sign_in(atelier.new_marketer().email, next=target)
    assert answer.headers["location"] == "/"


def test_strangers_leave_no_files_here(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    browser, file = browsers(), {"file": ("a.png", b"x" * 1000)}
    path = "/_stcore/upload_file/a-session/a-file"
    refused = browser.http.put(path, files=file)
    assert (refused.status_code, refused.text) == (403, "Sign in to upload files.")
    browser.sign_in(atelier.new_marketer().email)
    # With a session of ours Streamlit has its own questions: its cross-site token, a page that runs.
    assert browser.http.put(path, files=file).text != "Sign in to upload files."


@pytest.mark.parametrize("origin", ["https://evil.test", "http://127.0.0.1.evil.test", "null"])
def test_other_sites_do_not_talk_to_the_pages(site: str, origin: str) -> None:
    """The page itself runs over a websocket, which browsers open across sites, cookies and all."""
    here = httpx.URL(site)
    assert _upgraded(here, site) == 101
    assert _upgraded(here, origin) == 403


def _upgraded(here: httpx.URL, origin: str) -> int:
    """The status that opening the pages' websocket from a page of this origin gets."""
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {here.netloc.decode()}",
        f"Origin: {origin}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    with socket.create_connection((here.host, here.port or 80), timeout=30) as opened:
        opened.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(opened.recv(100).split()[1])


PROTECTED = (
    f"/download/jobs?id={uuid4()}",
    f"/download/campaign/{uuid4()}",
    f"/view/model/{uuid4()}",
    f"/view/transcript/{uuid4()}",
)


def test_addresses_of_files_and_frames_ask_who_is_there(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    stranger = browsers()
    assert [stranger.http.get(path).status_code for path in PROTECTED] == [403] * 4
    stranger.sign_in(atelier.new_marketer().email)
    assert [stranger.http.get(path).status_code for path in PROTECTED] == [404] * 4  # theirs, or nobody's: the same


def test_the_success_page_of_somebody_elses_order(
    atelier: Atelier, browsers: Callable[..., Browser], stripe: StripeSimulator
) -> None:
    buyer, thief = (atelier.new_marketer() for _ in range(2))
    success = "http://127.0.0.1:9/checkout/done?session_id={CHECKOUT_SESSION_ID}"
    try:
        paid_at = payments.start_checkout(buyer, "credits_100", success_url=success, cancel_url="http://127.0.0.1:9/")
    finally:
        stripe_api.connection_pool().close()
        stripe_api.connection_pool.cache_clear()
        stripe_api.get_client.cache_clear()
    session = paid_at.rpartition("/")[2]
    assert atelier.http.post(f"{stripe.url}/c/pay/{session}/pay").status_code < 400
    browser = browsers()
    browser.sign_in(thief.email)
    for stolen in (session, f"{session}&session_id={session}", "cs_test_made_up", "../../v1/refunds", ""):
        answer = browser.http.get("/checkout/done", params={"session_id": stolen})
        assert answer.headers["location"] == "/credits?checkout=NOT_FOUND"
    assert (atelier.balance(thief), atelier.balance(buyer)) == ((120, 0), (120, 0))
    theirs = browsers()
    theirs.sign_in(buyer.email)
    granted = theirs.http.get("/checkout/done", params={"session_id": session}).headers["location"]
    assert granted.startswith("/credits?checkout=granted")
    assert (atelier.balance(thief), atelier.balance(buyer)) == ((120, 0), (220, 0))
    order = granted.rpartition("order=")[2]
    assert browser.http.get("/checkout/receipt", params={"order": order}).headers["location"].endswith("no_receipt")


def test_errors_and_odd_addresses_show_nothing(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    """Whatever is asked for, no answer names a secret, a path of this machine or a line of the program."""
    browser = browsers()
    browser.sign_in(atelier.new_marketer().email)
    odd = [
        "/.env",
        "/.git/config",
        "/app/static/../.env",
        "/app/static/%2e%2e/.env",
        "/core/settings.py",
        "/%00",
        "/%ff",
    ]
    odd += [
        "/view/model/not-an-id",
        "/download/jobs?id=%00",
        "/checkout/done?session_id=%F0%9F%92%A9",
        "/session/login",
    ]
    odd += ["/_stcore/host-config", "/_stcore/health", "/_stcore/metrics", "/_stcore/agent/openapi.json", "/media/x"]
    own = atelier.environment
    secrets = [own[name] for name in own if name.endswith(("_KEY", "_SECRET", "_TOKEN")) and len(own[name]) > 7]
    assert len(secrets) >= 6
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda path: browser.http.request("GET", path), odd))
    answers += [browser.http.post("/session/login", content=b"\xff"), browser.http.post("/", content=b"x")]
    publishable = own["SUPABASE_PUBLISHABLE_KEY"]
    for answer in answers:
        assert answer.status_code < 500, answer.url
        for found in (*secrets, "Traceback", "site-packages", str(own.get("LOCAL_DIR") or "/.local/")):
            assert found not in answer.text or found == publishable, answer.url


def test_the_agent_api_of_streamlit_is_off(site: str, http: httpx.Client) -> None:
    """It would let programs drive the pages without a browser."""
    assert http.post(f"{site}/_stcore/agent/interact", json={}).status_code in (403, 404)
