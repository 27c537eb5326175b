"""People who come in without the forms, through the same functions: most tests begin where somebody is in already."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Page

from bench.inside import forget
from core import sessions
from core.settings import ENVIRONMENT_NAMES


@contextmanager
def _as_the_pages(environment: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ENVIRONMENT_NAMES}
    try:
        os.environ.update({name: environment.get(name, "") for name in ENVIRONMENT_NAMES})
        forget()
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        forget()


def make_account(environment: Mapping[str, str], email: str, name: str, password: str) -> None:
    """Sign somebody up."""
    with _as_the_pages(environment):
        sessions.sign_up(email, password, name)


def let_in(environment: Mapping[str, str], page: Page, email: str, password: str, url: str) -> None:
    """Sign somebody in: the browser of this page has their session from now on."""
    with _as_the_pages(environment):
        signed_in = sessions.sign_in(email, password, address="", user_agent="Chromium")
    host = urlsplit(url).hostname or ""
    page.context.add_cookies(
        [{"name": sessions.COOKIE_NAME, "value": signed_in.cookie_value, "domain": host, "path": "/", "httpOnly": True}]
    )
