"""Signing in with the company's account, in a real browser: there, back, out, and everything that can go wrong."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import axe
from tests.browser.conftest import Site, go, settle
from tests.browser.watch import Watch
from tests.conftest import Serve, SupabaseStack
from tests.sso import company as companies
from tests.sso.company import Company


@pytest.fixture(scope="module")
def company(serve: Serve, site: Site, supabase_stack: SupabaseStack) -> Company:
    """Beside the pages of the other tests, on the same database."""
    return companies.start(serve, site.environment, supabase_stack)


@pytest.fixture
def page(browser: Browser, company: Company) -> Iterator[Page]:
    watch = Watch(company.environment, {})
    context = browser.new_context(base_url=company.url, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(60_000)
    watch.over(context)
    page = context.new_page()
    yield page
    watch.at_the_end(page)
    context.close()
    assert watch.found == set()


def at_the_provider(page: Page, email: str, name: str, mood: str = "as it should", button: str = "Continue") -> None:
    page.get_by_role("link", name="Sign in with Acme").click()
    page.get_by_role("textbox", name="Email").fill(email)
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("combobox", name="This time").select_option(mood)
    page.get_by_role("button", name=button).click()
    settle(page)


def approve(site: Site, email: str) -> None:
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        connection.execute(
            "update public.profiles set is_approved = true, approved_at = now() where email = %s", (email,)
        )


def expect_signed_out(page: Page) -> None:
    """Also after a reload."""
    for _ in range(2):
        settle(page)
        expect(page.get_by_role("link", name="Sign in with Acme")).to_be_visible()
        page.reload()


def test_in_with_the_companys_account_and_out_again(page: Page, site: Site) -> None:
    ida, noah = (f"{name}-{uuid4().hex[:8]}@example.test" for name in ("ida", "noah"))
    go(page, "/credits")
    assert axe.violations(page) == []
    at_the_provider(page, ida, "Ida Berg")
    expect(page.get_by_role("heading", name="Waiting for approval.")).to_be_visible()
    assert page.url.endswith("/credits")  # the page that was wanted
    approve(site, ida)
    go(page, "/jobs")
    page.get_by_role("button", name="Not now").click()  # a newcomer has no credits yet
    page.get_by_role("button", name="IB", exact=True).click()
    expect(page.get_by_text("Ida Berg", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect_signed_out(page)

    at_the_provider(page, noah, "Noah Fink")  # another person at the same computer
    expect(page.get_by_text(f"Signed in as {noah}")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect_signed_out(page)


WRONG = (
    ("as it should", "Cancel", "Signing in with Acme was cancelled or refused there."),
    ("email not confirmed", "Continue", "Signing in with Acme needs a confirmed email."),
    ("for another client", "Continue", "Signing in with Acme is not set up correctly."),
    ("out of order", "Continue", "Signing in with Acme gets no answer from there."),
)


def test_what_goes_wrong_is_said_and_can_be_tried_again(page: Page) -> None:
    email = f"{uuid4().hex[:12]}@example.test"
    go(page, "/jobs")
    for mood, button, sentence in WRONG:
        at_the_provider(page, email, "Una Ohne", mood, button)
        expect(page.get_by_role("alert").filter(has_text=sentence)).to_be_visible()
    assert axe.violations(page) == []
    at_the_provider(page, email, "Una Ohne")
    expect(page.get_by_text(f"Signed in as {email}")).to_be_visible()
    assert page.url.endswith("/jobs")


def test_where_it_is_not_set_up_there_is_no_trace_of_it(new_page: Callable[..., Page], site: Site) -> None:
    page = new_page()
    go(page, "/")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(page.get_by_text("Sign in with")).to_have_count(0)
    for path in ("/session/sso", "/session/sso/callback?code=1&state=2"):
        assert page.request.get(site.url + path, max_redirects=0).headers.get("location") is None
