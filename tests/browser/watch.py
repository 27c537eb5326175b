"""What is watched in every browser of these tests, whatever they are about: the policy refuses nothing of ours, and no
secret ever reaches a browser."""

import base64
import json
import re
from collections.abc import Mapping
from urllib.parse import unquote

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, WebSocket

_JWT = re.compile(rb"eyJ[\w-]{8,}\.([\w-]{8,})\.")
_SECRET = re.compile(r"(_SECRET|_SECRET_KEY|_TOKEN|FAL_KEY|FAL_ADMIN_KEY)$")


class Watch:
    """Collects what should never be; `found` is empty at the end of a test."""

    def __init__(self, environment: Mapping[str, str], passwords: Mapping[str, str]) -> None:
        secrets = {name: value for name, value in environment.items() if _SECRET.search(name) and value}
        self._secrets = {name: value.encode() for name, value in {**secrets, **passwords}.items()}
        self.found: set[str] = set()
        self.seen = 0  # bytes that were looked through

    def over(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("request", self._request)
        context.on("page", self._page)

    def at_the_end(self, page: Page) -> None:
        """The source of the page as it stands now."""
        self._look("the page", page.content())

    def _page(self, page: Page) -> None:
        page.on("websocket", self._websocket)

    def _console(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.found.add(message.text)

    def _request(self, request: Request) -> None:
        self._look("an address", unquote(request.url))

    def _websocket(self, websocket: WebSocket) -> None:
        """Streamlit sends the page through here."""
        websocket.on("framereceived", lambda frame: self._look("the websocket", frame))

    def _look(self, where: str, what: bytes | str) -> None:
        data = what.encode() if isinstance(what, str) else what
        self.seen += len(data)
        self.found |= {f"{name} in {where}" for name, secret in self._secrets.items() if secret in data}
        # The addresses of files in Storage are signed with a token for that file alone; nobody's own token is there.
        self.found |= {f"a person's token in {where}" for payload in _JWT.findall(data) if "role" in _claims(payload)}


def _claims(payload: bytes) -> dict[str, object]:
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
