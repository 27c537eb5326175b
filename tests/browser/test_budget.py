"""The Budget page as people use it: balances, what the header says elsewhere, colours, limits, charts and files."""

import re
from collections.abc import Callable
from time import monotonic

import psycopg
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site, go, settle

REFRESHED = 12_000  # milliseconds: ten seconds, and what the request takes
DONE = 60  # seconds
Marketer = Callable[..., tuple[Page, str]]


def enter(page: Page, opener: str, amount: str, button: str) -> None:
    page.get_by_role("button", name=opener).click()
    field = page.get_by_role("dialog").get_by_role("spinbutton")
    field.fill(amount)
    field.press("Tab")
    settle(page)
    page.get_by_role("button", name=button).click()
    settle(page)


def pill(page: Page, tone: str, text: str) -> None:
    expect(page.locator(f".st-key-bar .st-key-tone-{tone}")).to_contain_text(text, timeout=REFRESHED)


def spend(page: Page, email: str, site: Site) -> None:
    """One job of 0.6 cents, and its end."""
    ended = (
        "select count(*) from generation_jobs join profiles using (user_id) where email = %s and status = 'completed'"
    )
    with psycopg.connect(site.database_url, autocommit=True) as connection:

        def count() -> int:
            row = connection.execute(ended, (email,)).fetchone()
            assert row is not None
            return int(row[0])

        before, deadline = count(), monotonic() + DONE
        go(page, "/")
        page.get_by_role("textbox", name="Prompt").fill("Green hills")
        page.get_by_role("textbox", name="Prompt").press("Tab")
        settle(page)
        page.get_by_role("button", name="Generate 2 images").click()
        while count() == before:
            assert monotonic() < deadline, "the job does not end"
            page.wait_for_timeout(200)


def test_an_allowance_is_set_refused_cleared_and_seen_elsewhere(new_marketer: Marketer) -> None:
    page, _ = new_marketer(60)
    elsewhere = page.context.new_page()
    go(elsewhere, "/jobs")
    go(page, "/budget")
    enter(page, "Set your allowance", "-5", "Save allowance")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("between 0 and 999,999 dollars")
    page.get_by_role("dialog").get_by_role("spinbutton").fill("80.50")
    page.get_by_role("dialog").get_by_role("spinbutton").press("Tab")
    settle(page)
    page.get_by_role("button", name="Save allowance").click()
    expect(page.get_by_text("The allowance is saved: $80.50.")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_test_id("stMetricValue").first).to_have_text("$80.50")
    pill(elsewhere, "ok", "$80.50 left")

    page.get_by_role("button", name="Set your allowance").click()
    expect(page.get_by_role("dialog").get_by_role("cell", name="$80.50")).to_be_visible()
    page.get_by_role("button", name="Clear allowance").click()
    expect(page.get_by_text("The allowance is cleared.")).to_be_visible()
    expect(elsewhere.locator(".st-key-bar")).not_to_contain_text("$80.50", timeout=REFRESHED)


PULSE = """<div class="st-key-pulse-bar">
<i data-pulse="bar" data-every="10" data-idle-every="60" data-idle-after="300" data-drawn="1"></i>
<button onclick="presses += 1">Refresh</button></div><script>presses = 0</script>"""
SEEN = """state => {
  Object.defineProperty(document, 'visibilityState', { get: () => state, configurable: true })
  document.dispatchEvent(new Event('visibilitychange'))
}"""


def test_the_header_asks_every_ten_seconds_while_somebody_looks_and_not_otherwise(browser: Browser) -> None:
    """On a page without a server, whose clock the test winds."""
    page = browser.new_page()
    page.clock.install()
    page.set_content(PULSE)
    for _ in range(2):  # whoever needs it brings it
        page.add_script_tag(path="static/pulse.js")

    def presses_within(seconds: int) -> int:
        before = page.evaluate("presses")
        page.clock.run_for(seconds * 1000)
        return int(page.evaluate("presses")) - before

    assert presses_within(31) == 3
    page.evaluate("document.querySelector('i').dataset.drawn = '2'")  # the page was drawn for another reason
    assert (presses_within(9), presses_within(2)) == (0, 1)
    page.evaluate(SEEN, "hidden")
    assert presses_within(120) == 0
    before = page.evaluate("presses")
    page.evaluate(SEEN, "visible")
    assert page.evaluate("presses") == before + 1, "at once, for what is shown is old"
    assert presses_within(299) == 29
    assert presses_within(120) == 2, "nobody has moved for five minutes"
    page.mouse.move(20, 20)
    assert presses_within(30) == 3
    page.close()


def test_the_colours_follow_what_is_left(new_marketer: Marketer, site: Site) -> None:
    page, email = new_marketer(60)
    go(page, "/budget")
    enter(page, "Set your allowance", "0.01", "Save allowance")
    pill(page, "ok", "$0.010 left")
    expect(page.locator(".meter.ok")).to_have_attribute("aria-label", "100% of the allowance is left")
    spend(page, email, site)
    pill(page, "low", "$0.004 left")
    spend(page, email, site)
    pill(page, "out", "left")
    go(page, "/budget")
    expect(page.locator(".meter.out")).to_have_attribute("aria-label", "0% of the allowance is left")
    expect(page.get_by_text("Your allowance is used up.")).to_be_visible()


def test_an_admin_enters_the_balance_and_limits_somebody(admin_page: Page, new_marketer: Marketer, site: Site) -> None:
    page, email = new_marketer(60)
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        connection.execute("update public.profiles set full_name = %s where email = %s", (f"Zoe {email[:6]}", email))
    spend(page, email, site)
    go(admin_page, "/budget")
    enter(admin_page, "Set the balance", "73.25", "Save balance")
    expect(admin_page.get_by_text("The balance is saved: $73.25.")).to_be_visible()
    expect(admin_page.get_by_test_id("stMetricValue").first).to_have_text("$73.25")
    admin_page.get_by_role("button", name="Set limits").click()
    dialog = admin_page.get_by_role("dialog")
    dialog.get_by_role("combobox", name=re.compile("Monthly cap")).fill(f"Zoe {email[:6]}")
    admin_page.get_by_role("option", name=f"Zoe {email[:6]}").click()
    settle(admin_page)
    dialog.get_by_role("spinbutton").fill("0.01")
    dialog.get_by_role("spinbutton").press("Tab")
    settle(admin_page)
    admin_page.get_by_role("button", name="Set the cap").click()
    expect(dialog).to_contain_text("cap $0.01")

    go(page, "/")
    page.get_by_role("textbox", name="Prompt").fill("Green hills")
    page.get_by_role("textbox", name="Prompt").press("Tab")
    settle(page)
    page.get_by_role("button", name="Generate 2 images").click()
    expect(page.get_by_text("This would pass your monthly cap")).to_be_visible()
    go(page, "/budget")
    expect(page.get_by_text("of $0.01")).to_be_visible()
    expect(page.get_by_role("button", name="Set the balance")).to_have_count(0)


def test_charts_come_with_their_numbers_and_files(new_marketer: Marketer, site: Site) -> None:
    page, email = new_marketer(60)
    spend(page, email, site)
    go(page, "/budget")
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(1)
    bars = page.locator('[data-testid="stPlotlyChart"] .bars path').first
    assert bars.evaluate("bar => getComputedStyle(bar).fill") == "rgb(47, 67, 208)"  # the theme's first colour
    expect(page.get_by_text("Days begin at midnight")).to_be_visible()
    page.get_by_text("Numbers").click()
    numbers = page.locator(".st-key-numbers-spend-by-type")
    expect(numbers.locator("canvas").first).to_be_visible()  # the table pushes the button down when it comes
    settle(page)
    with page.expect_download() as started:
        numbers.get_by_role("button", name="Download CSV").click()
    lines = started.value.path().read_text("utf-8-sig").splitlines()
    assert lines[0] == 'Day,"Image, USD","Total, USD"'
    assert len(lines) == 31
    assert lines[-1].endswith(",0.006000,0.006000")
    page.get_by_test_id("stButtonGroup").get_by_text("Campaign").click()
    settle(page)
    expect(page.get_by_test_id("stPlotlyChart")).to_contain_text("No campaign")
