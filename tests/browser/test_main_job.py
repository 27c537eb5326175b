"""The main job, end to end, as people do it: sign up, be approved, sign in, generate, get the result, sign out."""

import re
from collections.abc import Callable
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Site, come_in, go, settle, sign_in, sign_up

PROMPT = "Three glazed ceramic spheres on a linen cloth, soft window light, terracotta and cobalt"
WHOLE_STORY = 60_000  # milliseconds: an upper bound against hanging, not a measure


def credits_in_bar(page: Page, text: str) -> None:
    expect(page.locator(".st-key-bar").get_by_text(text, exact=False)).to_be_visible(timeout=15_000)


def generate(page: Page, prompt: str, button: str | re.Pattern[str]) -> None:
    page.get_by_role("textbox", name="Prompt").fill(prompt)
    page.get_by_role("textbox", name="Prompt").press("Tab")
    settle(page)
    page.get_by_role("button", name=button).click()
    expect(page.get_by_text(re.compile("on its way|on their way|Running now", re.I)).first).to_be_visible()


def test_from_sign_up_to_sign_out(new_page: Callable[..., Page], admin_page: Page, site: Site) -> None:
    email, name = f"{uuid4().hex[:12]}@example.test", "Lea Martin"
    page = new_page()
    sign_up(page, email, name)
    sign_in(page, email)
    expect(page.get_by_text(re.compile("waits? for approval|waiting for", re.I)).first).to_be_visible()
    expect(page.get_by_role("textbox", name="Prompt")).to_have_count(0)

    go(admin_page, "/admin")
    with psycopg.connect(site.database_url) as connection:
        found = connection.execute("select user_id from public.profiles where email = %s", (email,)).fetchone()
    assert found
    expect(admin_page.locator(f".st-key-waiting-{found[0]}")).to_contain_text(name)
    # Streamlit draws a button that has an explanation twice and shows one, by the width of the screen.
    admin_page.locator(f".st-key-approve-{found[0]} button:visible").click()
    expect(admin_page.locator(f".st-key-approve-{found[0]}")).to_have_count(0)

    go(page, "/")
    credits_in_bar(page, "20 credits")
    generate(page, PROMPT, "Generate 2 images")
    credits_in_bar(page, "19 credits")
    expect(page.get_by_role("img", name=re.compile("glazed", re.I)).first).to_be_visible(timeout=WHOLE_STORY)

    page.reload()
    settle(page)
    credits_in_bar(page, "19 credits")
    other = page.context.new_page()
    go(other, "/jobs")
    expect(other.get_by_role("img", name=re.compile("glazed", re.I)).first).to_be_visible()
    go(other, "/credits")
    expect(other.get_by_text("Job charged").first).to_be_visible()
    expect(other.get_by_text("Set aside").first).to_be_visible()
    cookie = next(c for c in page.context.cookies() if c["name"] == "atelier_session")
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"

    other.locator(".st-key-bar").get_by_role("button").last.click()
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    go(page, "/jobs")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("glazed", re.I))).to_have_count(0)


def test_a_failed_job_returns_its_credits_and_says_why(new_marketer: Callable[..., tuple[Page, str]]) -> None:
    page, _ = new_marketer(5)
    generate(page, "A famous actor [sim:fail422]", "Generate 2 images")
    go(page, "/jobs")
    expect(page.get_by_text("fal.ai refused this prompt").first).to_be_visible(timeout=WHOLE_STORY)
    credits_in_bar(page, "5 credits")
    go(page, "/credits")
    expect(page.get_by_text("Returned").first).to_be_visible()


def test_a_job_moves_by_itself_and_goes_on_elsewhere(
    new_marketer: Callable[..., tuple[Page, str]], new_page: Callable[..., Page], site: Site
) -> None:
    page, email = new_marketer(5)
    generate(page, "Terracotta dunes at first light [sim:slow=12]", "Generate 2 images")
    go(page, "/jobs")
    expect(page.get_by_text("Running now")).to_be_visible()
    elsewhere = new_page(width=390, height=844)
    come_in(elsewhere, site, email, path="/jobs")
    expect(elsewhere.get_by_text("Running now")).to_be_visible()
    page.close()
    expect(elsewhere.get_by_role("img", name=re.compile("dunes", re.I)).first).to_be_visible(timeout=WHOLE_STORY)
    expect(elsewhere.get_by_text("Running now")).to_have_count(0)


def test_too_few_credits_submits_nothing(new_marketer: Callable[..., tuple[Page, str]], site: Site) -> None:
    page, email = new_marketer(1)
    page.get_by_role("textbox", name="Prompt").fill("Green hills")
    page.get_by_role("textbox", name="Prompt").press("Tab")
    settle(page)  # a run that comes now would take the open list away
    page.get_by_test_id("stSelectbox").first.click()
    page.get_by_role("option", name=re.compile("Flux Dev")).first.click()
    settle(page)
    expect(page.get_by_text(re.compile("4 credits short"))).to_be_visible()
    with psycopg.connect(site.database_url) as connection:
        made = connection.execute(
            "select count(*) from public.generation_jobs join public.profiles using (user_id) where email = %s",
            (email,),
        ).fetchone()
    assert made == (0,)


@pytest.mark.parametrize("path", ["/jobs", "/budget", "/credits", "/admin", "/"])
def test_a_cold_hit_shows_a_stranger_nothing(new_page: Callable[..., Page], path: str) -> None:
    page = new_page()
    go(page, path)
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(page.locator(".st-key-bar")).to_have_count(0)
    expect(page.get_by_role("heading", name=re.compile("^(Jobs|Budget|Credits|Admin|Generate)$"))).to_have_count(0)


def test_a_marketer_never_sees_the_admin_page(new_marketer: Callable[..., tuple[Page, str]]) -> None:
    page, _ = new_marketer(0)
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)
    go(page, "/admin")
    expect(page.get_by_text("Webhook inbox")).to_have_count(0)
    expect(page.get_by_text("Waiting for approval")).to_have_count(0)


def test_a_deep_link_survives_sign_in(
    new_marketer: Callable[..., tuple[Page, str]], new_page: Callable[..., Page]
) -> None:
    _, email = new_marketer(0)
    page = new_page()
    sign_in(page, email, path="/credits")
    assert page.url.endswith("/credits")
    expect(page.get_by_role("heading", name="Credits", exact=True)).to_be_visible()


def test_a_wrong_password_is_one_calm_sentence(
    new_marketer: Callable[..., tuple[Page, str]], new_page: Callable[..., Page]
) -> None:
    _, email = new_marketer(0)
    page = new_page()
    sign_in(page, email, password="not the password at all")
    expect(page.get_by_text("do not match")).to_be_visible()
    assert PASSWORD not in page.content()
