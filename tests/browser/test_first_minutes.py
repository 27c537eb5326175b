"""The first minutes: somebody signs up, is let in and makes a first image with the ready prompt; an admin tries keys on
the Connections page of a studio that simulates nothing, before anything is written."""

from collections.abc import Callable
from uuid import uuid4

from playwright.sync_api import Page, expect

from local.ports import HOST, free_port
from tests.browser.axe import violations
from tests.browser.conftest import Site, go, settle, sign_in, sign_up
from tests.conftest import Serve
from ui.first_steps import READY_PROMPT

WHOLE_STORY = 60_000  # milliseconds: an upper bound against hanging, not a measure


def test_a_newcomer_comes_from_signing_up_to_a_first_image(admin_page: Page, new_page: Callable[..., Page]) -> None:
    name, email = f"Nina {uuid4().hex[:6]}", f"{uuid4().hex[:12]}@example.test"
    page = new_page(width=390, height=1400)
    sign_up(page, email, name)
    sign_in(page, email)
    expect(page.get_by_text("An admin finds you on their list")).to_be_visible()
    go(admin_page, "/admin")
    row = admin_page.locator('[class*="st-key-waiting-"]').filter(has_text=email)
    row.get_by_role("button", name="Approve").click()
    expect(row).to_have_count(0)

    expect(page.get_by_role("heading", name="First steps")).to_be_visible()  # by itself, without a reload
    settle(page)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Fill in a prompt").click()
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value(READY_PROMPT)
    settle(page)
    page.get_by_role("button", name="Generate 2 images").click()
    expect(page.get_by_role("heading", name="Recent")).to_be_visible(timeout=WHOLE_STORY)
    expect(page.get_by_role("heading", name="First steps")).to_have_count(0)


def test_keys_are_tried_before_anything_is_written(admin_page: Page, site: Site, serve: Serve) -> None:
    port = free_port()
    environment = site.environment | {"ATELIER_SIMULATED": "", "APP_PORT": str(port)}
    streamlit = ["streamlit", "run", "streamlit_app.py", "--server.port", str(port), "--server.address", HOST]
    url = f"http://{HOST}:{port}"
    serve("browser-real-pages", [*streamlit, "--server.headless", "true"], environment, f"{url}/_stcore/health")
    page = admin_page  # the same session, at other pages of the same studio
    go(page, f"{url}/admin?section=Connections")
    expect(page.get_by_text("Nothing is simulated.")).to_be_visible()
    for works in ("The companion answers there.", "The project answers and takes the key", "Each pack has its price"):
        expect(page.get_by_text(works)).to_be_visible()
    expect(page.get_by_text("of Simulated studio, in test mode.")).to_be_visible()

    fal = page.locator(".st-key-connection-fal")
    fal.get_by_text("Try keys").click()
    key = fal.get_by_role("textbox", name="Key for jobs")
    key.fill("somebody-else:0123456789abcdef6789")
    fal.get_by_role("button", name="Check fal.ai").click()
    expect(fal.get_by_text("fal.ai does not know the key …6789: it is mistyped, or was revoked.")).to_be_visible()
    restart = page.locator(".st-key-connection-restart")
    expect(restart.get_by_text("Left out: FAL_KEY.")).to_be_visible()
    settle(page)
    assert violations(page) == []

    mine = site.environment["FAL_KEY"]
    key.fill(mine)
    fal.get_by_role("button", name="Check fal.ai").click()
    expect(restart.get_by_text(f"FAL_KEY=…{mine[-4:]}")).to_be_visible()
    restart.get_by_role("button", name="Write 1 setting to .env").click()
    expect(page.get_by_role("dialog").get_by_text("every job costs real money")).to_be_visible()
    page.keyboard.press("Escape")  # nothing is written in a test: the rest is told by tests of their own
    expect(page.get_by_role("dialog")).to_have_count(0)
    key.fill("")  # what one types stands in one's own field; that nothing sends it back is watched
