"""A forgotten password in a real browser: asked for, read where mails are read on one machine, set, signed in with."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import PASSWORD, Site, go, settle, sign_in

NEW = "a new password for tests"
SIZES = ((1280, 900), (390, 844))


def looks_well(page: Page) -> None:
    """In light and dark, wide and on a phone: nothing that axe finds, nothing that sticks out."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert axe.violations(page) == []
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_the_whole_way_to_a_new_password(
    new_marketer: Callable[..., tuple[Page, str]], new_page: Callable[..., Page], site: Site
) -> None:
    elsewhere, email = new_marketer()
    page = new_page(width=1280, height=900)
    go(page, "/")
    page.get_by_role("button", name="Forgot your password?").click()
    expect(page.get_by_role("heading", name="A new password.")).to_be_visible()  # both forms ask for the email
    page.get_by_role("textbox", name="Work email").fill(email)
    page.get_by_role("button", name="Send the link").click()
    settle(page)
    expect(page.get_by_text("If there is an account with this email")).to_be_visible()
    with page.expect_popup() as opened:  # on one machine only
        page.get_by_role("link", name="read it").click()
    letter = opened.value.get_by_role("article").filter(has_text=email).first
    address = letter.get_by_role("link").get_attribute("href") or ""
    opened.value.close()
    link = address[address.index("/password?") :]  # the pages of this run are elsewhere

    page.goto(link)
    expect(page.get_by_role("heading", name="A new password.")).to_be_visible()
    looks_well(page)
    for new, again, sentence in ((NEW, NEW + "!", "not the same"), (PASSWORD, PASSWORD, "your password before")):
        page.get_by_role("textbox", name="New password", exact=True).fill(new)
        page.get_by_role("textbox", name="New password, once more").fill(again)
        page.get_by_role("button", name="Set the new password").click()
        expect(page.get_by_role("alert")).to_contain_text(sentence)
    looks_well(page)
    page.get_by_role("textbox", name="New password", exact=True).fill(NEW)
    page.get_by_role("textbox", name="New password, once more").fill(NEW)
    page.get_by_role("button", name="Set the new password").click()
    settle(page)
    expect(page.get_by_text("Your new password is set.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Work email")).to_have_value(email)
    assert "token" not in page.url

    page.get_by_role("textbox", name="Password").fill(NEW)
    page.get_by_role("button", name="Sign in", exact=True).click()
    settle(page)
    expect(page.get_by_role("button", name="JW", exact=True)).to_be_visible()
    go(elsewhere, "/")  # who was signed in with the old one is out
    expect(elsewhere.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    sign_in(elsewhere, email, PASSWORD)
    expect(elsewhere.get_by_text("This email and password do not match.")).to_be_visible()

    page.goto(link)  # once more: it opens, and sets nothing
    page.get_by_role("textbox", name="New password", exact=True).fill(PASSWORD)
    page.get_by_role("textbox", name="New password, once more").fill(PASSWORD)
    page.get_by_role("button", name="Set the new password").click()
    settle(page)
    assert page.url == f"{site.url}/?view=forgot&error=LINK_USED"


def test_a_link_to_confirm_an_email_waits_for_its_button(new_page: Callable[..., Page]) -> None:
    page = new_page(width=1280, height=900)
    page.goto("/confirm?token_hash=0123456789abcdef0123456789abcdef&type=email")
    looks_well(page)
    page.get_by_role("button", name="Confirm my email").click()
    settle(page)
    expect(page.get_by_text("This link has been used or is older than an hour.")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
