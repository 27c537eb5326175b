"""Buying credits with the simulated Stripe, as people do it: pay, cancel, be short, wait, be refunded."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, come_in, go, settle

ARRIVES = 30_000  # milliseconds: an upper bound against hanging, not a measure
Marketer = Callable[..., tuple[Page, str]]


def buy(page: Page, credits: str) -> None:
    page.get_by_role("button", name=f"Buy {credits} credits").click()
    expect(page.get_by_role("heading", name="Pay")).to_be_visible()


def pay(page: Page, button: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=button, exact=isinstance(button, str)).click()
    page.wait_for_url(re.compile("checkout=|/credits$|/$"))
    settle(page)


def available(page: Page, credits: str) -> None:
    """The figure on the Credits page and the pill in the bar agree."""
    expect(page.get_by_test_id("stMetricValue").first).to_have_text(credits, timeout=ARRIVES)
    expect(page.locator(".st-key-bar")).to_contain_text(f"{credits} credit", timeout=ARRIVES)


def purchases(site: Site, email: str) -> list[Any]:
    with psycopg.connect(site.database_url) as connection:
        return connection.execute(
            "select p.status, p.granted_credits from public.credit_purchases p join public.profiles using (user_id)"
            " where email = %s order by p.created_at",
            (email,),
        ).fetchall()


def newest_payment(site: Site, email: str) -> str:
    with psycopg.connect(site.database_url) as connection:
        found = connection.execute(
            "select payment_intent_id from public.credit_purchases join public.profiles using (user_id)"
            " where email = %s and payment_intent_id is not null order by credit_purchases.created_at desc limit 1",
            (email,),
        ).fetchone()
    assert found
    return str(found[0])


def test_buy_a_pack_see_it_at_once_and_be_refunded(new_marketer: Marketer, site: Site) -> None:
    page, email = new_marketer(20)
    go(page, "/credits")
    available(page, "20")
    buy(page, "500")
    pay(page, re.compile("Pay €79"))
    expect(page.get_by_text("500 credits added.")).to_be_visible()
    available(page, "520")
    line = page.locator(".ledger details").first
    expect(line.locator("summary")).to_contain_text(re.compile(r"Bought.*500 credits for €79.*\+500.*520"))
    expect(line.get_by_text("520 available")).to_be_hidden()
    line.locator("summary").click()
    expect(line.get_by_text("520 available, 0 set aside")).to_be_visible()
    expect(line.get_by_role("link", name="Receipt")).to_be_visible()
    assert "checkout" not in page.url
    assert purchases(site, email) == [("paid", 500)]

    with page.context.expect_page() as opened:
        page.locator(".st-key-purchases").get_by_role("link", name="Receipt").click()
    expect(opened.value.get_by_role("heading", name="Receipt")).to_be_visible()
    opened.value.close()

    console = page.context.new_page()
    console.goto(f"{site.stripe}/_sim/")
    row = console.locator("tr", has_text=email)
    row.get_by_role("textbox", name="Amount to refund").fill("39.50")
    row.get_by_role("button", name="Refund", exact=True).click()
    expect(row).to_contain_text("39.50")
    expect(page.locator(".st-key-bar")).to_contain_text("270 credits", timeout=ARRIVES)
    go(page, "/credits")
    available(page, "270")
    expect(page.get_by_text("Paid, partly refunded · €39.50 back · 250 credits taken")).to_be_visible()


def test_coming_back_without_paying_changes_nothing_and_a_double_click_is_one_order(
    new_marketer: Marketer, site: Site
) -> None:
    page, email = new_marketer(20)
    go(page, "/credits")
    buy(page, "100")
    page.get_by_role("link", name="Cancel and go back").click()
    settle(page)
    expect(page.get_by_text("You came back without paying.")).to_be_visible()
    available(page, "20")
    assert purchases(site, email) == [("open", 0)]
    with page.expect_download() as started:
        page.get_by_role("button", name="Download CSV").click()
    text = started.value.path().read_text("utf-8-sig")
    assert text.splitlines()[0] == "When,What,Detail,Credits,Available after,Set aside after,Entry,Job,Order"
    assert "Granted,For a test,20,20,0," in text.splitlines()[1]
    page.get_by_role("button", name="Buy 100 credits").dblclick(no_wait_after=True)
    expect(page.get_by_role("heading", name="Pay")).to_be_visible()
    pay(page, re.compile("Pay €19"))
    available(page, "120")
    assert purchases(site, email) == [("open", 0), ("paid", 100)]


def test_money_that_comes_later_brings_its_credits_by_itself(new_marketer: Marketer, site: Site) -> None:
    page, email = new_marketer(20)
    go(page, "/credits")
    buy(page, "100")
    pay(page, "Pay later")
    expect(page.get_by_text("Your payment of €19 is on its way.")).to_be_visible()
    available(page, "20")
    body = {"action": "arrive", "id": newest_payment(site, email)}
    answer = httpx.post(f"{site.stripe}/_sim/act", json=body)
    assert answer.is_success or "is succeeded" in answer.text  # on a slow machine it has arrived by itself
    expect(page.locator(".st-key-bar")).to_contain_text("120 credits", timeout=ARRIVES)


def test_the_checkout_of_somebody_else_grants_nothing(new_marketer: Marketer, site: Site) -> None:
    page, email = new_marketer(20)
    go(page, "/credits")
    buy(page, "100")
    session_id = page.url.rpartition("/")[2]
    thief, other = new_marketer(20)
    assert httpx.post(f"{site.stripe}/c/pay/{session_id}/pay").is_redirect
    go(thief, f"/checkout/done?session_id={session_id}")
    expect(thief.get_by_text("There is no such order, or it is not yours.")).to_be_visible()
    available(thief, "20")
    go(page, "/credits")
    available(page, "120")  # by webhook
    assert (purchases(site, email), purchases(site, other)) == ([("paid", 100)], [])


def test_too_few_credits_lead_to_the_pack_and_back_to_the_form(new_marketer: Marketer) -> None:
    page, _ = new_marketer(1, reminded=True)
    expect(page.get_by_role("dialog")).to_contain_text("You have 1 credit left")
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    for path in ("/jobs", "/"):  # once a visit
        go(page, path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("textbox", name="Prompt").fill("A red lighthouse in fog")
    page.get_by_role("textbox", name="Prompt").press("Tab")
    settle(page)
    page.get_by_test_id("stSelectbox").first.click()
    page.get_by_role("option", name=re.compile("Flux Dev · finer")).click()
    settle(page)
    page.get_by_role("button", name="Generate image").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This image costs 5 credits and you have 1.")
    expect(dialog).to_contain_text("€0.19 each · leaves you 96")
    dialog.get_by_role("button", name="Buy 100 credits").click()
    pay(page, re.compile("Pay €19"))
    expect(page.get_by_text("100 credits added.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("A red lighthouse in fog")
    expect(page.get_by_text("96 credits left after")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_packs_fit_a_phone(new_marketer: Marketer, new_page: Callable[..., Page], site: Site) -> None:
    _, email = new_marketer(20)
    phone = new_page(width=390, height=844, dark=True)
    come_in(phone, site, email, path="/credits")
    expect(phone.get_by_role("button", name="Buy 1,000 credits")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
