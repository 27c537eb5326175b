"""The demo data, made by the real road, on every page, in both lights and on a phone: complete, and right by axe."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import Page, expect

from local.people import ADMIN, MARKETER
from tests.browser.axe import violations
from tests.browser.conftest import Site, come_in, go, settle

ROOT = Path(__file__).resolve().parents[2]
# What fades in is there; what turns for ever, turns.
STILL = """document.getAnimations().every(
    one => one.playState !== 'running' || one.effect.getComputedTiming().iterations === Infinity)"""
SECTIONS = ("People", "Catalogue", "Operations", "Money", "Connections", "Trail")


def look(page: Page, name: str, found: list[str], go_there: Callable[[], None] = lambda: None) -> None:
    """What axe finds wrong with what the person sees now goes to `found`."""
    go_there()
    settle(page)
    page.mouse.move(0, 0)
    page.wait_for_function(STILL)
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
    look(stranger, "sign-in-light", found)

    light = new_page(height=1150)
    come_in(light, site, MARKETER.email, site.demo_passwords[MARKETER.email])
    expect(light.get_by_role("img").nth(4)).to_be_visible()
    light.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert everything_loaded(light)
    look(light, "generate-light", found)
    triangle = light.locator(".film").first.evaluate("film => getComputedStyle(film, '::after').width")
    assert triangle == "32px", "a video looks like its own first frame"
    for name in ("credits", "budget"):
        go(light, f"/{name}")
        look(light, f"{name}-light", found)

    dark = new_page(dark=True, height=1150)
    come_in(dark, site, MARKETER.email, site.demo_passwords[MARKETER.email], path="/jobs")
    dark.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    look(dark, "jobs-dark", found)

    look(dark, "Jobs, a job", found, lambda: dark.locator('[class*="st-key-open-jobs-"] button').first.click())
    for path in ("/", "/campaigns", "/budget", "/credits"):
        look(dark, f"{path}, dark", found, partial(go, dark, path))

    admin = new_page(dark=True, height=1150)
    come_in(admin, site, ADMIN.email, site.demo_passwords[ADMIN.email], path="/admin")
    look(admin, "admin-dark", found)
    for section in SECTIONS:
        look(admin, f"Admin, {section}", found, partial(go, admin, f"/admin?section={section}"))

    phone = new_page(width=390, height=1250)
    come_in(phone, site, MARKETER.email, site.demo_passwords[MARKETER.email])
    expect(phone.get_by_role("img").nth(2)).to_be_visible()
    look(phone, "generate-phone", found)
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert not found, "\n".join(found)
