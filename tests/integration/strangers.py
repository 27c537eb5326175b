"""Strangers before the pages: browsers without Streamlit, each from an address of its own."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from core import sessions
from local.ports import HOST, free_port
from tests.conftest import Serve, StripeSimulator
from tests.integration.atelier import PASSWORD, Atelier

PAGES = ["streamlit", "run", "streamlit_app.py", "--server.address", HOST, "--server.headless", "true", "--server.port"]


class Browser:
    """A browser that follows nothing by itself; `address` is where it says to come from, through a proxy."""

    def __init__(self, url: str, address: str = "") -> None:
        headers = {"X-Forwarded-For": address} if address else {}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60)

    def post(self, path: str, **form: str) -> httpx.Response:
        return self.http.post(path, data=form)

    def sign_in(self, email: str, password: str = PASSWORD, **form: str) -> httpx.Response:
        return self.post("/session/login", email=email, password=password, **form)

    @property
    def cookie(self) -> str:
        return self.http.cookies.get(sessions.COOKIE_NAME) or ""

    def with_cookie(self, value: str) -> "Browser":
        self.http.cookies.set(sessions.COOKIE_NAME, value, domain=HOST, path="/")
        return self


@pytest.fixture(name="site", scope="module")
def site_fixture(atelier: Atelier, serve: Serve, stripe: StripeSimulator) -> str:
    """The pages of this Atelier; nothing listens for webhooks."""
    del stripe
    port = free_port()
    serve("attacked-pages", [*PAGES, str(port)], atelier.environment, f"http://{HOST}:{port}/_stcore/health")
    return f"http://{HOST}:{port}"


@pytest.fixture(name="browsers")
def browsers_fixture(site: str) -> Iterator[Callable[..., Browser]]:
    opened: list[Browser] = []

    def open_browser(address: str = "") -> Browser:
        opened.append(Browser(site, address))
        return opened[-1]

    yield open_browser
    for browser in opened:
        browser.http.close()


def outcome(answer: httpx.Response) -> str:
    """Where a form leads: the code in the address, or the page."""
    assert answer.status_code == 303
    return answer.headers["location"].partition("error=")[2].partition("&")[0] or answer.headers["location"]
