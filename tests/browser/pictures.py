"""A picture of every page in each state, for docs/screenshots.md: not in the suite, `make screenshots` runs it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, expect

from bench.history import fill
from local.paths import ROOT
from local.people import ADMIN, MARKETER
from local.ports import HOST, free_port
from tests.browser.conftest import Site, go, settle, sign_in, sign_up
from tests.browser.gallery import PHONE, WIDE, Gallery
from tests.conftest import Serve

JOBS = 30_000  # of two years: about forty a day
SECTIONS = ("People", "Catalogue", "Operations", "Money", "Trail", "Connections")
FIRST = ("Ana", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jan", "Kaya", "Luis", "Mina", "Noah")
LAST = (
    "Albers",
    "Brandt",
    "Costa",
    "Duarte",
    "Evers",
    "Fischer",
    "Grau",
    "Haas",
    "Ito",
    "Jansen",
    "Kern",
    "Lang",
    "Moreau",
)
Opened = Callable[..., Page]
Marketer = Callable[..., tuple[Page, str]]


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return Gallery()


@pytest.fixture(scope="module")
def studio(site: Site) -> Site:
    """The site with two years behind it, and the demo data on top."""
    # fal.ai has what the history will leave of its balance, and is not remembered for what it said before.
    httpx.post(f"{site.environment['FAL_QUEUE_URL']}/_sim/behaviour", json={"balance": "300.00"}).raise_for_status()
    fill(site.database_url, JOBS)
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        people = connection.execute("select user_id from public.profiles order by email").fetchall()
        for number, (user_id,) in enumerate(people):
            name = f"{FIRST[number % len(FIRST)]} {LAST[number % len(LAST)]}"
            connection.execute("update public.profiles set full_name = %s where user_id = %s", (name, user_id))
        # Its files were never made, so its campaigns are shown to nobody.
        connection.execute("update public.campaigns set visibility = 'private'")
        connection.execute("set session_replication_role = replica")  # readings are append-only
        connection.execute("delete from public.budget_snapshots where source = 'fal'")
    subprocess.run([sys.executable, "-m", "local.demo"], env={**os.environ, **site.environment}, cwd=ROOT, check=True)
    return site


@pytest.fixture
def opened(studio: Site, new_page: Opened) -> Opened:
    """Opens a path as the demo marketer, or as the demo admin."""

    def open_path(path: str, *, dark: bool = False, width: int = WIDE, admin: bool = False) -> Page:
        page, who = new_page(dark=dark, width=width, height=900), ADMIN if admin else MARKETER
        sign_in(page, who.email, studio.demo_passwords[who.email], path=path)
        return page

    return open_path


def test_signing_in(studio: Site, new_page: Opened, gallery: Gallery) -> None:
    del studio

    def door(dark: bool = False, width: int = WIDE) -> Page:
        page = new_page(dark=dark, width=width, height=800)
        go(page, "/")
        return page

    gallery.in_both_lights(door, "Sign in", "wide")
    gallery.take(door(width=PHONE), "Sign in", "phone")
    page = door()
    page.get_by_role("button", name="Create an account").click()
    gallery.take(page, "Sign in", "new account")
    page = door()
    page.get_by_role("textbox", name="Work email").fill("somebody@studio.example")
    page.get_by_role("textbox", name="Password").fill("not the password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("do not match")).to_be_visible()
    gallery.take(page, "Sign in", "error")


def test_a_newcomer(studio: Site, new_page: Opened, new_marketer: Marketer, gallery: Gallery) -> None:
    del studio
    page = new_page(width=WIDE, height=900)
    sign_up(page, "newcomer@studio.example", "Nora New")
    sign_in(page, "newcomer@studio.example")
    gallery.take(page, "Sign in", "waiting for approval")
    page, _ = new_marketer(20, width=WIDE)
    for name in ("Generate", "Jobs", "Campaigns", "Budget", "Credits"):
        go(page, "/" if name == "Generate" else f"/{name.lower()}")
        gallery.take(page, name, "empty")
    phone, _ = new_marketer(20, width=PHONE)
    gallery.take(phone, "Generate", "empty, phone")


def test_pages(opened: Opened, gallery: Gallery) -> None:
    for width, suffix in ((WIDE, ""), (PHONE, ", phone")):
        for dark in (False, True):
            page = opened("/", dark=dark, width=width)
            for name in ("Generate", "Jobs", "Campaigns", "Budget", "Credits"):
                go(page, "/" if name == "Generate" else f"/{name.lower()}")
                gallery.take(page, name, f"filled{suffix}{', dark' if dark else ''}")


def test_a_campaign(opened: Opened, gallery: Gallery) -> None:
    for width, dark, state in ((WIDE, False, "one"), (WIDE, True, "one, dark"), (PHONE, False, "one, phone")):
        page = opened("/campaigns", width=width, dark=dark)
        page.locator('[class*="st-key-open-campaign"] button').first.click()
        expect(page.get_by_role("heading", name="Winter collection")).to_be_visible()
        gallery.take(page, "Campaigns", state)


def test_jobs(opened: Opened, gallery: Gallery) -> None:
    for dark, suffix in ((False, ""), (True, ", dark")):
        page = opened("/jobs", dark=dark)
        page.get_by_role("button", name=re.compile("^Three glazed")).click()
        gallery.take(page, "Jobs", f"detail{suffix}", at_most=900)
    page = opened("/jobs")
    page.get_by_role("button", name=re.compile("^A famous actor")).click()
    gallery.take(page, "Jobs", "failed", at_most=900)
    page = opened("/jobs")
    page.get_by_text("Table", exact=True).click()
    gallery.take(page, "Jobs", "table")


def test_what_is_under_way_and_what_is_refused(new_marketer: Marketer, studio: Site, gallery: Gallery) -> None:
    del studio
    page, _ = new_marketer(30, width=WIDE)
    for prompt in ("Ribbon of light, slow orbit [sim:slow=60]", "Ceramic vase, matte white [sim:slow=60]"):
        page.get_by_role("textbox", name="Prompt").fill(prompt)
        page.get_by_role("button", name=re.compile("^Generate 2")).click()
        settle(page)
    gallery.take(page, "Generate", "loading")
    go(page, "/jobs")
    expect(page.get_by_text("Running now")).to_be_visible()
    gallery.take(page, "Jobs", "loading")

    page, _ = new_marketer(30, width=WIDE)
    page.get_by_role("textbox", name="Prompt").fill("A famous actor holding our bottle [sim:fail422]")
    page.get_by_role("button", name=re.compile("^Generate 2")).click()
    expect(page.get_by_text("fal.ai refused this prompt").first).to_be_visible(timeout=60_000)
    gallery.take(page, "Generate", "error")
    page, _ = new_marketer(1, width=WIDE)
    page.get_by_role("textbox", name="Prompt").fill("Green hills")
    page.get_by_test_id("stSelectbox").first.click()
    page.get_by_role("option", name=re.compile("Flux Dev")).first.click()
    gallery.take(page, "Generate", "too few credits")


def test_coming_back_from_paying(opened: Opened, gallery: Gallery) -> None:
    page = opened("/")
    for code, state in (("cancelled", "came back without paying"), ("payment_failed", "payment failed")):
        go(page, f"/credits?checkout={code}")
        gallery.take(page, "Credits", state, at_most=700)


def test_admin(opened: Opened, gallery: Gallery) -> None:
    for dark in (False, True):
        page = opened("/admin", admin=True, dark=dark)
        for section in SECTIONS:
            go(page, f"/admin?section={section}")
            gallery.take(page, "Admin", f"{section}{', dark' if dark else ''}")
    page = opened("/admin", admin=True, width=PHONE)
    for section in ("People", "Operations"):
        go(page, f"/admin?section={section}")
        gallery.take(page, "Admin", f"{section}, phone")
    page = opened("/budget", admin=True)
    gallery.take(page, "Budget", "of the team", at_most=2600)
    gallery.take(opened("/admin"), "Admin", "for others")


def test_while_our_records_are_away(studio: Site, new_page: Opened, serve: Serve, gallery: Gallery) -> None:
    port = free_port()
    environment = studio.environment | {"APP_PORT": str(port), "SUPABASE_URL": f"http://{HOST}:{free_port()}"}
    streamlit = ["streamlit", "run", "streamlit_app.py", "--server.port", str(port), "--server.address", HOST]
    url = f"http://{HOST}:{port}"
    serve("pages-alone", [*streamlit, "--server.headless", "true"], environment, f"{url}/_stcore/health")
    page = new_page(width=WIDE, height=700)
    page.context.add_cookies([{"name": "atelier_session", "value": "x" * 43, "url": url}])
    go(page, url)
    expect(page.get_by_text("One moment")).to_be_visible()
    gallery.take(page, "Not connected", "error", at_most=700)


def test_the_page_that_shows_them(gallery: Gallery) -> None:
    gallery.write()
