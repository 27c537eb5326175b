"""For tests in a real Chromium: the whole studio on the test stack, and people who walk through it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local import secrets as local_secrets
from local.environment import Stack
from local.parts import stripe_arguments
from local.people import ADMIN, EMAILS
from local.ports import HOST, free_port
from tests import leftovers
from tests.browser.people import let_in, make_account
from tests.browser.watch import Watch
from tests.conftest import FalSimulator, Serve, SupabaseStack

RESULTS = Path(__file__).resolve().parents[2] / "test-results"
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
ARGUMENTS += ["--enable-unsafe-swiftshader"]  # WebGL without a graphics card
ARGUMENTS += ["--js-flags=--no-opt --no-maglev"]  # no page lives long enough to be worth compiling twice
ARGUMENTS += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # a microphone that beeps
PASSWORD = "a long password for tests"

expect.set_options(timeout=30_000)  # against hanging, not a measure: the machine may be busy


@dataclass(frozen=True)
class Site:
    """Where the studio of this test run is."""

    url: str
    companion: str
    stripe: str
    database_url: str
    environment: dict[str, str]
    demo_passwords: dict[str, str]


@pytest.fixture(scope="session")
def site(
    stack: Stack,
    stack_environment: dict[str, str],
    supabase_stack: SupabaseStack,
    fal: FalSimulator,
    serve: Serve,
    stack_directory: Path,
) -> Site:
    """A companion, the pages and a simulated Stripe that calls this companion, on ports of their own; the demo admin's
    address is in ADMIN_EMAILS."""
    leftovers.park(supabase_stack.database_url)
    leftovers.calm(fal.url)
    app, companion, stripe = free_port(), free_port(), free_port()
    companion_url, stripe_url = f"http://{HOST}:{companion}", f"http://{HOST}:{stripe}"
    till = replace(stack, ports=stack.ports | {"COMPANION_PORT": companion, "LOCAL_STRIPE_PORT": stripe})
    (stack_directory / "browser").mkdir()
    serve(
        "browser-stripe", stripe_arguments(till, stack_directory / "browser"), stack_environment, f"{stripe_url}/_sim/"
    )
    environment = stack_environment | {
        "STRIPE_API_URL": stripe_url,
        "APP_PORT": str(app),
        "COMPANION_PORT": str(companion),
        "PUBLIC_URL": companion_url,
        "ADMIN_EMAILS": ADMIN.email,
        "LOCAL_DIR": str(stack_directory / "local"),
    }
    passwords = local_secrets.load(stack_directory / "local" / local_secrets.FILE_NAME, EMAILS).demo_passwords
    uvicorn = ["uvicorn", "core.companion:create_app", "--factory", "--host", HOST, "--port", str(companion)]
    serve("browser-companion", uvicorn, environment, f"{companion_url}/health")
    streamlit = ["streamlit", "run", "streamlit_app.py", "--server.port", str(app), "--server.address", HOST]
    url = f"http://{HOST}:{app}"
    serve("browser-pages", [*streamlit, "--server.headless", "true"], environment, f"{url}/_stcore/health")
    return Site(url, companion_url, stripe_url, supabase_stack.database_url, environment, passwords)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def new_page(browser: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Opens a page in a browser of its own (no cookie of anybody); a failed test leaves pictures in test-results/.

    Whatever is looked at is watched: see `tests.browser.watch`.
    """
    pages: list[Page] = []
    watch = Watch(site.environment, site.demo_passwords)

    def open_page(*, dark: bool = False, width: int = 1440, height: int = 1000) -> Page:
        context = browser.new_context(
            base_url=site.url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            timezone_id="UTC",
            locale="en-GB",
        )
        context.set_default_timeout(60_000)
        watch.over(context)
        pages.append(context.new_page())
        return pages[-1]

    yield open_page
    failed = getattr(request.node, "report", None) is not None and request.node.report.failed
    for number, page in enumerate(pages):
        if failed:
            RESULTS.mkdir(exist_ok=True)
            page.screenshot(path=RESULTS / f"{request.node.name}-{number}.png")
        if not page.is_closed():
            watch.at_the_end(page)
        page.context.close()
    assert watch.found == set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:  # noqa: ARG001
    report = yield
    if report.when == "call":
        item.report = report  # type: ignore[attr-defined]
    return report  # type: ignore[return-value]


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()


def settle(page: Page) -> None:
    """Wait until Streamlit has run the page."""
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(250)
    page.wait_for_selector(IDLE)


def go(page: Page, path: str) -> None:
    page.goto(path)
    settle(page)


def sign_up(page: Page, email: str, name: str, password: str = PASSWORD) -> None:
    go(page, "/")
    page.get_by_role("button", name="Create an account").click()
    page.get_by_role("textbox", name="Your name").fill(name)
    page.get_by_role("textbox", name="Work email").fill(email)
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text(re.compile("Your account is made|Sign in", re.I)).first).to_be_visible()
    settle(page)


def sign_in(page: Page, email: str, password: str = PASSWORD, path: str = "/") -> None:
    go(page, path)
    page.get_by_role("textbox", name="Work email").fill(email)
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_load_state()
    settle(page)


def come_in(page: Page, site: Site, email: str, password: str = PASSWORD, path: str = "/") -> None:
    """Open a page as somebody who has signed in before; `sign_in` is for tests that are about the way in."""
    let_in(site.environment, page, email, password, site.url)
    go(page, path)


@pytest.fixture
def admin_page(new_page: Callable[..., Page], site: Site) -> Page:
    """The demo admin, signed in."""
    page = new_page()
    with psycopg.connect(site.database_url) as connection:
        known = connection.execute("select from public.profiles where email = %s", (ADMIN.email,)).rowcount
    if not known:
        make_account(site.environment, ADMIN.email, ADMIN.full_name, site.demo_passwords[ADMIN.email])
    come_in(page, site, ADMIN.email, site.demo_passwords[ADMIN.email])
    return page


@pytest.fixture
def new_marketer(site: Site, new_page: Callable[..., Page]) -> Callable[..., tuple[Page, str]]:
    """Makes somebody who is approved with so many credits, and signed in; returns the page and the email.

    The reminder that few credits are left is dismissed, unless `reminded` leaves it open.
    """

    def create(credits: int = 20, *, reminded: bool = False, **options: object) -> tuple[Page, str]:
        page, email = new_page(**options), f"{uuid4().hex[:12]}@example.test"
        make_account(site.environment, email, "Jonas Weber", PASSWORD)
        with psycopg.connect(site.database_url, autocommit=True) as connection:
            connection.execute(
                "update public.profiles set is_approved = true, approved_at = now() where email = %s", (email,)
            )
            if credits:
                connection.execute(
                    "select private.post_entry(user_id, 'grant', %s, 'test:' || user_id, p_reason => 'For a test')"
                    " from public.profiles where email = %s",
                    (credits, email),
                )
        come_in(page, site, email)
        reminder = page.get_by_role("dialog", name="Few credits left")
        if reminder.is_visible() and not reminded:
            reminder.get_by_role("button", name="Not now").click()
            expect(reminder).to_have_count(0)
        return page, email

    return create


def click_row(page: Page, key: str, row: int) -> None:
    """Click the first cell of a row of a table, from 0: tables are drawn on a canvas, all rows 40 pixels high."""
    table = page.locator(f".st-key-{key} .dvn-scroller")  # lies over the canvas and takes the clicks
    table.scroll_into_view_if_needed()
    table.click(position={"x": 60, "y": 40 * (row + 1) + 20})
    settle(page)


@pytest.fixture(autouse=True)
def books(site: Site) -> Iterator[None]:
    """Whatever was clicked: afterwards the books are in balance."""
    yield
    with psycopg.connect(site.database_url) as connection:
        assert connection.execute("select * from public.audit_books()").fetchall() == []
