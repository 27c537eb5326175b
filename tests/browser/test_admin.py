"""What an admin does: approve two people, change a price, replay a dead letter, and find it all in the trail, with who
came to the Admin page without being one."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from playwright.sync_api import Page, expect

from local.people import ADMIN
from tests.browser.conftest import PASSWORD, Site, click_row, go, settle
from tests.browser.people import make_account

WHOLE_STORY = 60_000  # milliseconds: an upper bound against hanging, not a measure
CHANGED = "render_highres"  # no other test here uses it


def ask(site: Site, query: str, *values: Any) -> Any:
    """The first row of an answer of the database."""
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        cursor = connection.execute(query, values)
        return cursor.fetchone() if cursor.description else None


def set_credits(page: Page, site: Site, credits: int, reason: str) -> None:
    """Through the dialog of a type in the catalogue."""
    row = ask(
        site,
        "select count(*) from public.generation_types where position <"
        " (select position from public.generation_types where generation_type = %s)",
        CHANGED,
    )[0]
    go(page, "/admin?section=Catalogue")
    click_row(page, "catalogue-table", row)
    page.get_by_role("spinbutton", name="Credits per image").fill(str(credits))
    page.keyboard.press("Tab")
    settle(page)
    page.get_by_role("textbox", name="Reason, kept in the trail").fill(reason)
    page.keyboard.press("Tab")
    settle(page)
    page.get_by_role("button", name="Save type").click()
    expect(page.get_by_text("New jobs have it within half a minute.")).to_be_visible()


def test_an_admins_day_is_in_the_trail(
    admin_page: Page,
    new_marketer: Callable[..., tuple[Page, str]],
    site: Site,
    tmp_path: Path,
) -> None:
    names = [f"{name} {uuid4().hex[:6]}" for name in ("Lea", "Tom")]
    for name in names:
        make_account(site.environment, f"{uuid4().hex[:12]}@example.test", name, PASSWORD)
    ids = [ask(site, "select user_id from public.profiles where full_name = %s", name)[0] for name in names]

    go(admin_page, "/admin")
    badge = admin_page.get_by_test_id("stTopNavLink").get_by_text(re.compile(r"^\d+$"))
    expect(badge).to_be_visible()
    for user_id in ids:
        admin_page.locator(f".st-key-choose-{user_id}").get_by_role("checkbox").check(force=True)
        settle(admin_page)
    admin_page.get_by_role("button", name="Approve 2 chosen").click()
    expect(admin_page.get_by_text("2 people approved.")).to_be_visible()
    for user_id in ids:
        expect(admin_page.locator(f".st-key-waiting-{user_id}")).to_have_count(0)
        assert ask(site, "select is_approved from public.profiles where user_id = %s", user_id) == (True,)

    usual = ask(site, "select credits from public.generation_types where generation_type = %s", CHANGED)[0]
    set_credits(admin_page, site, usual + 1, "Dearer since today")
    try:
        assert ask(site, "select credits from public.generation_types where generation_type = %s", CHANGED) == (
            usual + 1,
        )
    finally:
        set_credits(admin_page, site, usual, "And back")

    page, _ = new_marketer(2)
    page.get_by_role("textbox", name="Prompt").fill("Glass stoppers on sage")
    page.keyboard.press("Tab")
    settle(page)
    page.get_by_role("button", name="Generate 2 images").click()
    expect(page.get_by_role("img", name=re.compile("Glass stoppers")).first).to_be_visible(timeout=WHOLE_STORY)
    ask(site, "update public.webhook_events set status = 'ignored' where status = 'dead'")  # of tests before this one
    dead = ask(
        site,
        "update public.webhook_events set status = 'dead', error = 'Storage did not answer' where id ="
        " (select e.id from public.webhook_events e join public.generation_jobs j on j.id = e.job_id"
        "  where j.prompt = 'Glass stoppers on sage') returning id",
    )[0]
    go(page, "/admin")
    expect(page.get_by_role("heading", name="This page is for admins")).to_be_visible()

    go(admin_page, "/admin")
    admin_page.get_by_role("button", name=re.compile("1 dead letter")).click()
    admin_page.get_by_role("button", name="Replay all 1 dead").click()
    expect(admin_page.get_by_text("1 replayed: 1 processed.")).to_be_visible()
    status = ask(site, "select status, attempts from public.webhook_events where id = %s", dead)
    assert status is not None
    assert status[0] == "processed"

    go(admin_page, "/admin?section=Trail")
    with admin_page.expect_download() as started:
        admin_page.get_by_role("button", name="Download CSV").click()
    path = tmp_path / "trail.csv"
    started.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["to whom"] for line in lines if line["action"] == "approve_person"} >= set(names)
    edits = [line for line in lines if line["action"] == "edit_generation_type" and line["id"] == CHANGED]
    assert [line["why"] for line in edits] == ["And back", "Dearer since today"]
    assert str(dead) in {line["id"] for line in lines if line["action"] == "replay_event"}
    assert {line["who"] for line in edits} == {ADMIN.full_name}
    refused = {(line["who"], line["id"]) for line in lines if line["action"] == "refused"}
    assert ("Jonas Weber", "page:admin") in refused

    admin_page.get_by_role("textbox", name="Search").fill("replay_event")
    admin_page.keyboard.press("Enter")
    settle(admin_page)
    dialog = admin_page.get_by_role("dialog")
    for _ in range(20):  # a table that is being drawn anew takes no click
        if not dialog.is_visible():
            click_row(admin_page, "trail-table", 0)
    expect(dialog.get_by_text(f"Call {dead}")).to_be_visible()
    expect(dialog.get_by_text("Storage did not answer")).to_be_visible()


def test_what_stands_for_a_figure_while_it_loads_is_as_high_as_the_figure(admin_page: Page) -> None:
    """Streamlit's own placeholder is a third of it, and everything below moved when the figures came."""
    go(admin_page, "/admin")
    figures = admin_page.locator(".st-key-figures")
    expect(figures.get_by_test_id("stMetric")).to_have_count(5)
    loaded, loading = figures.evaluate(
        "box => { const metric = box.querySelector('[data-testid=stMetric]'), part = document.createElement('div');"
        " part.dataset.testid = 'stSkeleton'; part.style.position = 'absolute'; metric.parentElement.append(part);"
        " const heights = [metric, part].map(one => one.getBoundingClientRect().height);"
        " part.remove(); return heights }"
    )
    assert abs(loaded - loading) < 4


def test_text_in_a_table_has_room(admin_page: Page) -> None:
    """Streamlit's cells are 25 rem wide at most, and a sentence in one was three lines beside an empty half."""
    go(admin_page, "/admin?section=Operations")
    cell = admin_page.get_by_test_id("stTable").locator("td > div").first
    assert cell.evaluate("part => parseFloat(getComputedStyle(part).maxWidth)") >= 640
