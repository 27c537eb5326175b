"""The demo data, made by the real road, and a picture of every page of it, as the README and docs/ show them.

The pictures land in `test-results/`; with `ATELIER_PICTURES=1` (`make pictures`) in `docs/screenshots/`.
"""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from local.people import ADMIN, MARKETER
from tests.browser.axe import violations
from tests.browser.conftest import RESULTS, Site, go, settle, sign_in

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = ("People", "Catalogue", "Operations", "Money", "Trail")
FOLDER = ROOT / "docs" / "screenshots" if os.environ.get("ATELIER_PICTURES") else RESULTS


def picture(page: Page, name: str, found: list[str]) -> None:
    """What the person sees now, as a small WebP; what axe finds wrong with it goes to `found`."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)  # pictures and fonts fade in
    found += [f"{name}: {violation}" for violation in violations(page)]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.save(FOLDER / f"{name}.webp", quality=82, method=6)


def look(page: Page, name: str, found: list[str], go_there: Callable[[], None]) -> None:
    go_there()
    settle(page)
    found += [f"{name}: {violation}" for violation in violations(page)]


def everything_loaded(page: Page) -> bool:
    """Whether each picture on the page has arrived."""
    loaded: bool = page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    return loaded


def test_the_demo_data_shows_on_every_page(site: Site, new_page: Callable[..., Page]) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "local.demo"],
        env={**os.environ, **site.environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    found: list[str] = []
    stranger = new_page(height=900)
    go(stranger, "/")
    picture(stranger, "sign-in-light", found)

    light = new_page(height=1150)
    sign_in(light, MARKETER.email, site.demo_passwords[MARKETER.email])
    expect(light.get_by_role("img").nth(4)).to_be_visible()
    light.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert everything_loaded(light)
    picture(light, "generate-light", found)
    for name in ("credits", "budget"):
        go(light, f"/{name}")
        picture(light, f"{name}-light", found)

    dark = new_page(dark=True, height=1150)
    sign_in(dark, MARKETER.email, site.demo_passwords[MARKETER.email], path="/jobs")
    dark.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    picture(dark, "jobs-dark", found)

    look(dark, "Jobs, a job", found, lambda: dark.locator('[class*="st-key-open-jobs-"] button').first.click())
    for path in ("/", "/campaigns", "/budget", "/credits"):
        look(dark, f"{path}, dark", found, partial(go, dark, path))

    admin = new_page(dark=True, height=1150)
    sign_in(admin, ADMIN.email, site.demo_passwords[ADMIN.email], path="/admin")
    picture(admin, "admin-dark", found)
    for section in SECTIONS:
        look(admin, f"Admin, {section}", found, partial(go, admin, f"/admin?section={section}"))

    phone = new_page(width=390, height=1250)
    sign_in(phone, MARKETER.email, site.demo_passwords[MARKETER.email])
    expect(phone.get_by_role("img").nth(2)).to_be_visible()
    picture(phone, "generate-phone", found)
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert not found, "\n".join(found)
