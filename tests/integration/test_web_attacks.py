"""What somebody with a browser, a script or an account of their own could try against the pages, over real HTTP.

The pages are the real ones, served by Streamlit; this process stands for a second one beside them.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import pytest

from core import inputs, jobs, media, payments, sessions, stripe_api, zips
from core.database import get_database
from core.errors import DatabaseUnavailable, InvalidInput, NotFound, SignInRefused
from core.models import Job, Person
from core.sealing import hash_cookie
from core.settling import settle
from local.ports import HOST, free_port
from tests.conftest import Serve, StripeSimulator, SupabaseStack
from tests.integration.atelier import PASSWORD, SCHNELL, Atelier, Hands, at_once

WRONG = "not the password at all"
PAGES = ["streamlit", "run", "streamlit_app.py", "--server.address", HOST, "--server.headless", "true", "--server.port"]
ACTIONS = ("/session/login", "/session/logout", "/session/signup", "/session/forgot", "/checkout/start")


class Browser:
    """A browser that follows nothing by itself; `address` is where it says to come from, through a proxy."""

    def __init__(self, url: str, address: str = "") -> None:
        headers = {"X-Forwarded-For": address} if address else {}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60)

    def post(self, path: str, **form: str) -> httpx.Response:
        return self.http.post(path, data=form)

    def sign_in(self, email: str, password: str = PASSWORD, **form: str) -> httpx.Response:
        return self.post("/session/login", email=email, password=password, **form)

    @property
    def cookie(self) -> str:
        return self.http.cookies.get(sessions.COOKIE_NAME) or ""

    def with_cookie(self, value: str) -> "Browser":
        self.http.cookies.set(sessions.COOKIE_NAME, value, domain=HOST, path="/")
        return self


@pytest.fixture(scope="module")
def site(atelier: Atelier, serve: Serve, stripe: StripeSimulator) -> str:
    """The pages of this Atelier; nothing listens for webhooks."""
    del stripe
    port = free_port()
    serve("attacked-pages", [*PAGES, str(port)], atelier.environment, f"http://{HOST}:{port}/_stcore/health")
    return f"http://{HOST}:{port}"


@pytest.fixture
def browsers(site: str) -> Iterator[Callable[..., Browser]]:
    opened: list[Browser] = []

    def open_browser(address: str = "") -> Browser:
        opened.append(Browser(site, address))
        return opened[-1]

    yield open_browser
    for browser in opened:
        browser.http.close()


def somewhere() -> str:
    """An address that no other test comes from."""
    number = uuid4().int
    return f"2001:db8:{number % 65536:x}:{number // 65536 % 65536:x}::1"


def outcome(answer: httpx.Response) -> str:
    """Where a form leads: the code in the address, or the page."""
    assert answer.status_code == 303
    return answer.headers["location"].partition("error=")[2].partition("&")[0] or answer.headers["location"]


# --- Who is who ------------------------------------------------------------------------------------------------------


def test_guessing_a_password_ends_soon_however_many_guess_at_once(
    atelier: Atelier, browsers: Callable[..., Browser]
) -> None:
    victim, bystander = atelier.new_marketer(), atelier.new_marketer()
    guessers = [browsers(somewhere()) for _ in range(14)]
    told = [outcome(answer) for answer in at_once(*(lambda g=g: g.sign_in(victim.email, WRONG) for g in guessers))]
    assert sorted(told) == ["TOO_MANY"] * 4 + ["WRONG"] * 10
    # The right password does not help now: not from elsewhere, and not at another process.
    assert outcome(browsers(somewhere()).sign_in(victim.email)) == "TOO_MANY"
    with pytest.raises(SignInRefused) as refused:
        sessions.sign_in(victim.email, PASSWORD, address=somewhere(), user_agent="another process")
    assert refused.value.code == "TOO_MANY"
    assert outcome(browsers(somewhere()).sign_in(bystander.email)) == "/"


def test_one_address_cannot_try_a_password_on_everybody(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    person, guesser = atelier.new_marketer(), browsers(address := somewhere())
    for number in range(2, 51):  # each from another address of the same network
        near = f"{address.removesuffix('1')}{number:x}"
        with pytest.raises(SignInRefused):
            sessions.sign_in(f"{uuid4().hex}@example.test", WRONG, address=near, user_agent="")
    assert outcome(guesser.sign_in(f"{uuid4().hex}@example.test", WRONG)) == "WRONG"
    assert outcome(guesser.sign_in(person.email)) == "TOO_MANY"
    assert outcome(browsers(somewhere()).sign_in(person.email)) == "/"


def test_nobody_learns_who_has_an_account(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    """The same answer, and as fast: comparing a password takes ten times as long as finding nobody."""
    known, unknown = atelier.new_marketer().email, f"{uuid4().hex}@example.test"
    forms: dict[str, dict[str, str]] = {
        "/session/login": {"password": WRONG},
        "/session/signup": {"password": PASSWORD, "full_name": "Some Body"},
        "/session/forgot": {},
    }
    for path, form in forms.items():
        answers: dict[str, Any] = {}
        for email in (known, unknown):
            browser, took = browsers(somewhere()), []
            for _ in range(2):
                started = time.monotonic()
                answer = browser.post(path, email=email, **form)
                took.append(time.monotonic() - started)
            # What differs is the email that was typed, and when.
            cookies = [line.replace(email, "") for line in answer.headers.get_list("set-cookie")]
            headers = {name: value for name, value in answer.headers.items() if name not in ("date", "set-cookie")}
            answers[email] = (answer.status_code, answer.content, headers, cookies), min(took)
        (one, slow), (other, quick) = answers.values()
        assert one == other
        assert max(slow, quick) < 1.5 * min(slow, quick), path


def test_a_cookie_is_one_persons_session_and_nothing_else(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    ada, ben = (atelier.new_marketer() for _ in range(2))
    cookies = {}
    for person in (ada, ben):
        browser = browsers()
        assert outcome(browser.sign_in(person.email)) == "/"
        cookies[person.user_id] = browser.cookie
    assert len(set(cookies.values())) == 2
    for person in (ada, ben):
        found = sessions.current(cookies[person.user_id])
        assert found is not None
        assert found.user_id == person.user_id
    stolen = cookies[ada.user_id]
    rows = atelier.all("select cookie_hash from private.app_sessions where user_id = %s", ada.user_id)
    forgeries = [row["cookie_hash"] for row in rows]  # what a stolen database holds
    forgeries += [stolen[:-1], stolen + "A", stolen.swapcase(), f"{stolen}\x00", str(ada.user_id), ada.access_token, ""]
    assert [sessions.current(forgery) for forgery in forgeries] == [None] * len(forgeries)
    # Signing out ends it wherever it was copied to.
    browsers().with_cookie(stolen).post("/session/logout")
    assert sessions.current(stolen) is None
    assert sessions.current(cookies[ben.user_id]) is not None


def test_a_planted_session_is_not_gone_on_with(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    attacker, victim = (atelier.new_marketer() for _ in range(2))
    mine = browsers()
    mine.sign_in(attacker.email)
    planted = mine.cookie
    browser = browsers().with_cookie(planted)
    browser.sign_in(victim.email)
    cookies = [part for part in browser.http.cookies.jar if part.name == sessions.COOKIE_NAME]
    value = next(part.value for part in cookies if part.value != planted)
    found = sessions.current(value)
    assert found is not None
    assert found.user_id == victim.user_id
    assert sessions.current(planted) is None
    # A value of one's own choice is no session before and none after.
    chosen = "chosen-by-an-attacker-and-known-to-him"
    browsers().with_cookie(chosen).sign_in(victim.email)
    assert sessions.current(chosen) is None
    assert atelier.all("select from private.app_sessions where cookie_hash = %s", hash_cookie(chosen)) == []


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


# --- What a stranger can reach ---------------------------------------------------------------------------------------


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


# --- Money -----------------------------------------------------------------------------------------------------------


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


# --- Files and addresses ---------------------------------------------------------------------------------------------


class Canary(ThreadingHTTPServer):
    """Something inside our own network: whoever asks it for anything has been tricked."""

    def __init__(self) -> None:
        super().__init__((HOST, 0), _CanaryHandler)
        self.asked: list[str] = []
        self.url = f"http://{HOST}:{self.server_address[1]}/latest/meta-data.png"


class _CanaryHandler(BaseHTTPRequestHandler):
    server: Canary

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"secret of the network")

    do_POST = do_PUT = do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _result_at(atelier: Atelier, person: Person, url: str) -> Job:
    """A job whose result fal.ai says is at this address."""
    atelier.restart(PUBLIC_URL="")
    job = jobs.submit(person, SCHNELL, {"prompt": "A result [sim:queue=600]"})
    outputs = [{"url": url, "media_type": "image/png"}]
    settle(str(job.id), {"outcome": "completed", "billable": True, "outputs": outputs}, "poll")
    return jobs.get(person, job.id)


def test_a_result_does_not_make_us_ask_our_own_network(atelier: Atelier, hands: Hands, canary: Canary) -> None:
    person = atelier.new_marketer()
    job = _result_at(atelier, person, canary.url)
    (output,) = job.outputs
    hands.copy()
    roads: list[Callable[[], object]] = [
        lambda: media.download(output),
        lambda: list(zips.of_jobs(person, [job.id])),
        lambda: inputs.frame(person, output.id, "first"),
        lambda: inputs.sound(person, output.id),
    ]
    for road in roads:
        with pytest.raises((NotFound, InvalidInput)):
            road()
    assert canary.asked == []


def test_a_job_does_not_send_fal_into_anybodys_network(atelier: Atelier, canary: Canary) -> None:
    person = atelier.new_marketer()
    before = atelier.one("select count(*) as n from generation_jobs")
    for address in (canary.url, "http://169.254.169.254/latest/meta-data/", "http://localhost:8600/metrics"):
        for kind, given in (
            ("render_highres", {"image_url": address}),
            ("first_frame", {"prompt": "A frame", "image_urls": [address]}),
            ("transcribe_whisper", {"audio_url": address}),
        ):
            with pytest.raises(InvalidInput, match="a file that you upload"):
                jobs.submit(person, kind, given)
    assert atelier.one("select count(*) as n from generation_jobs") == before
    assert atelier.balance(person) == (120, 0)
    assert canary.asked == []


def test_no_way_of_writing_a_path_leads_to_somebody_elses_file(
    atelier: Atelier, supabase_stack: SupabaseStack, http: httpx.Client
) -> None:
    """Storage with a token of one's own: one's own file is there, the other's is not, however the path is written."""
    owner, thief = (atelier.new_marketer() for _ in range(2))
    content = {person.user_id: uuid4().hex.encode() for person in (owner, thief)}
    for user_id, data in content.items():
        get_database().storage().upload(f"{user_id}/job/0.png", data, {"content-type": "image/png"})
    key = {"apikey": supabase_stack.publishable_key, "Authorization": f"Bearer {thief.access_token}"}
    mine, theirs = f"{thief.user_id}/job/0.png", f"{owner.user_id}/job/0.png"
    url = f"{supabase_stack.url}/storage/v1/object"
    assert http.get(f"{url}/media/{mine}", headers=key).content == content[thief.user_id]
    tricks = [
        theirs,
        f"{thief.user_id}/../{theirs}",
        f"{thief.user_id}/..%2f{theirs}",
        f"{thief.user_id}/%2e%2e/{theirs}",
        f"{thief.user_id}%2f..%2f{theirs}",
        f"{thief.user_id}/..%252f{theirs}",
        f"{thief.user_id}/..%5c{theirs}",
        f"{thief.user_id}/%00/../../{theirs}",
        f"/{theirs}",
        f"./{theirs}",
        f"{theirs}%00{mine}",
        f"{thief.user_id}/../../media/{theirs}",
        f"..%2fmedia%2f{theirs}",
    ]
    stored = atelier.all("select id, name, version, updated_at from storage.objects order by id")
    for trick in tricks:
        for road in ("authenticated/media", "media", "public/media"):
            assert content[owner.user_id] not in http.get(f"{url}/{road}/{trick}", headers=key).content, trick
        signed = http.post(f"{url}/sign/media/{trick}", headers=key, json={"expiresIn": 60})
        assert signed.status_code >= 400, trick
        for method in ("POST", "PUT", "DELETE"):
            answer = http.request(method, f"{url}/media/{trick}", headers=key | {"x-upsert": "true"}, content=b"mine")
            assert answer.status_code >= 400, (method, trick)
        for what in ("copy", "move"):
            body = {"bucketId": "media", "sourceKey": httpx.URL(f"http://x/{trick}").path[1:], "destinationKey": mine}
            assert http.post(f"{url}/{what}", headers=key, json=body).status_code >= 400, (what, trick)
    assert atelier.all("select id, name, version, updated_at from storage.objects order by id") == stored
    assert get_database().storage().download(theirs) == content[owner.user_id]


# --- Secrets ---------------------------------------------------------------------------------------------------------


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


def test_while_the_database_is_away_nobody_is_let_in(atelier: Atelier) -> None:
    person = atelier.new_marketer()
    atelier.restart(SUPABASE_URL="http://127.0.0.1:9")
    with pytest.raises(DatabaseUnavailable):
        sessions.current(atelier.cookies[person.user_id])
    with pytest.raises(DatabaseUnavailable):
        sessions.sign_in(person.email, PASSWORD, address=somewhere(), user_agent="")
