"""A marketer's day with both hands on the keyboard: generate, prompts of before, presets, favourites, focus."""

import re
from collections.abc import Callable

import psycopg
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Site, go, settle

SHORT = 90  # the greatest number of steps that a walk with Tab may need
# Whether the keyboard's place is seen: by a ring around it, around what stands for it, or by the frame of its field.
SEEN = """() => {
  const here = document.activeElement, style = (e, pseudo) => getComputedStyle(e, pseudo);
  const ringed = (s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2;
  const field = here.closest("[data-baseweb], [data-testid^=stTextArea], [data-testid^=stTextInput],"
    + "[data-testid=stNumberInput], [data-testid=stSelectbox], [data-testid=stDateInput]");
  const seen = ringed(style(here)) || ringed(style(here, "::after")) || ringed(style(here.closest("label") ?? here))
    || field !== null;
  return [seen, here.getAttribute("aria-label") ?? here.innerText, here.tagName];
}"""


def jobs_of(site: Site, email: str) -> int:
    with psycopg.connect(site.database_url) as connection:
        query = "select count(*) from public.generation_jobs join public.profiles using (user_id) where email = %s"
        (count,) = connection.execute(query, (email,)).fetchone() or (0,)
    return int(count)


def walk(page: Page) -> list[str]:
    """Once through the page with Tab: every place it stops at is seen. Returns their names."""
    names: list[str] = []
    for _ in range(SHORT):
        page.keyboard.press("Tab")
        seen, name, tag = page.evaluate(SEEN)
        if tag == "BODY":
            return names
        assert seen, f"nobody sees where the keyboard is: {tag} {name[:60]}"
        names.append(name.strip().split("\n")[0])
    return names


def press(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=name, exact=True).first.focus()
    page.keyboard.press("Enter")
    settle(page)


def accessible(page: Page, where: str) -> None:
    page.wait_for_timeout(400)  # dialogs fade in, and half a fade has half the contrast
    assert violations(page) == [], where


def test_a_day_at_the_keyboard(new_marketer: Callable[..., tuple[Page, str]], site: Site) -> None:
    page, email = new_marketer(20)
    prompt = page.get_by_role("textbox", name="Prompt", exact=True)
    dialog = page.get_by_test_id("stDialog")

    # Written, and sent from the field; a second press joins the first.
    page.get_by_role("combobox", name="Shape").click()
    page.get_by_role("option", name="Tall").click()
    settle(page)
    prompt.focus()
    page.keyboard.type("A lighthouse above the fog [sim:slow=4]")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("You can leave this page")).to_be_visible()
    assert jobs_of(site, email) == 1
    page.wait_for_timeout(1500)  # until it counts as another press
    prompt.fill("Petals on black water")
    prompt.press("ControlOrMeta+Enter")
    expect(page.get_by_role("button", name=re.compile("^Petals"))).to_be_visible()
    assert jobs_of(site, email) == 2
    expect(page.get_by_test_id("stToast").filter(visible=True)).to_have_count(1)
    go(page, "/budget")  # left, and found again
    go(page, "/")
    expect(page.get_by_role("img", name=re.compile("lighthouse"))).to_have_count(1, timeout=60_000)
    expect(page.get_by_role("img", name=re.compile("Petals"))).to_have_count(1, timeout=60_000)

    # A new visit: the shape is as it was set last, the prompt is empty.
    expect(page.get_by_role("combobox", name="Shape")).to_have_value(re.compile("Tall"))
    expect(prompt).to_have_value("")

    # Keys in a dialog stay there: no job is made behind it.
    press(page, "History")
    page.get_by_role("textbox", name="Search your prompts").focus()
    page.keyboard.type("LIGHTHOUSE")
    page.keyboard.press("Control+Enter")
    expect(dialog.get_by_role("button", name="Use prompt")).to_have_count(1)
    accessible(page, "prompt history")
    press(page, "Use prompt")
    expect(dialog).to_have_count(0)
    expect(prompt).to_have_value(re.compile("lighthouse"))
    assert jobs_of(site, email) == 2

    press(page, "Presets")
    page.get_by_role("textbox", name="Save these settings as").focus()
    page.keyboard.type("Stories")
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("Stories", exact=True)).to_be_visible()
    accessible(page, "presets")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    settle(page)
    page.get_by_role("combobox", name="Shape").click()
    page.get_by_role("option", name="Square").click()
    settle(page)
    press(page, "Presets")
    press(page, "Use")
    expect(page.get_by_role("combobox", name="Shape")).to_have_value(re.compile("Tall"))

    # Favourites
    go(page, "/")
    places = walk(page)
    assert places.index("Presets") < places.index("Prompt") < places.index("Generate 2 images")
    press(page, "☆ Add to favourites")
    expect(page.get_by_role("button", name="★ In favourites")).to_have_count(1)
    accessible(page, "generate")
    go(page, "/jobs")
    expect(page.get_by_role("button", name="☆ Add to favourites")).to_have_count(1)
    page.get_by_role("switch", name="Favourites").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="☆ Add to favourites")).to_have_count(0)
    expect(page.get_by_role("button", name="★ In favourites")).to_have_count(1)
    settle(page)
    walk(page)

    # Escape closes what is on top, one thing at a time.
    page.locator('[class*="st-key-open-jobs-"] button').first.press("Enter")
    zoom = dialog.get_by_role("button", name="Zoom").first
    expect(zoom).to_be_visible()
    zoom.press("Enter")
    expect(page.locator(".zoomed:popover-open")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".zoomed:popover-open")).to_have_count(0)
    expect(zoom).to_be_focused()
    accessible(page, "a job")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_failure_comes_by_itself_to_the_page_that_asked(new_marketer: Callable[..., tuple[Page, str]]) -> None:
    page, _ = new_marketer(20, width=390, height=1400)
    prompt = page.get_by_role("textbox", name="Prompt", exact=True)
    asked = "A vase for the window [sim:fail422]"
    prompt.fill(asked)
    prompt.press("ControlOrMeta+Enter")
    refused = page.get_by_role("alert").filter(has_text="fal.ai refused this prompt.")
    expect(refused).to_contain_text("Nothing was charged")
    expect(prompt).to_have_value(asked)
    settle(page)
    accessible(page, "a failure on Generate")
    press(page, re.compile("^Open “A vase for the window"))
    expect(page.get_by_test_id("stDialog").get_by_role("button", name="Try again")).to_be_visible()


def test_a_form_that_is_filled_from_far_below_comes_into_view_with_the_keyboard_in_it(
    new_marketer: Callable[..., tuple[Page, str]],
) -> None:
    page, _ = new_marketer(20, width=390, height=700)
    prompt = page.get_by_role("textbox", name="Prompt", exact=True)
    prompt.fill("Petals on black water")
    prompt.press("ControlOrMeta+Enter")
    card = page.locator('[class*="st-key-open-recent-"] button').first
    expect(card).to_be_visible(timeout=60_000)
    prompt.fill("Something else")
    card.click()  # far below the form on a phone
    page.get_by_test_id("stDialog").get_by_role("button", name="Use again").click()
    expect(prompt).to_have_value("Petals on black water")
    expect(prompt).to_be_focused()
    expect(prompt).to_be_in_viewport()
