"""People who come in without the forms, through the same functions: most tests begin where somebody is in already."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from playwright.sync_api import Page

from bench.inside import set_up_as
from core import sessions


def make_account(environment: Mapping[str, str], email: str, name: str, password: str) -> None:
    """Sign somebody up."""
    with set_up_as(environment):
        sessions.sign_up(email, password, name)


def let_in(environment: Mapping[str, str], page: Page, email: str, password: str, url: str) -> None:
    """Sign somebody in: the browser of this page has their session from now on."""
    with set_up_as(environment):
        signed_in = sessions.sign_in(email, password, address="", user_agent="Chromium")
    host = urlsplit(url).hostname or ""
    page.context.add_cookies(
        [{"name": sessions.COOKIE_NAME, "value": signed_in.cookie_value, "domain": host, "path": "/", "httpOnly": True}]
    )
