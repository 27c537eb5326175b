"""One question to an outside part: a short one, that costs nothing, and whose failure has a sentence of its own."""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from core.fal.bodies import BadBody, decode

SECONDS: Final = 6.0  # for one question in all
TIMEOUT: Final = httpx.Timeout(5.0, connect=3.0)
LARGEST: Final = 2 * 1024 * 1024  # bytes of an answer that are read


class Unanswered(Exception):
    """There was no answer; `sentence` says why, in a way that leads to what has to be done."""

    def __init__(self, sentence: str, asked: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.asked = asked


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is the JSON of it with exact numbers, None when there is none; `headers` have names in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str]
    asked: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def field(self, name: str) -> Any:
        """A field of the body, None when there is no such thing."""
        return self.body.get(name) if isinstance(self.body, dict) else None


def ask(
    http: httpx.Client,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    json: Any = None,
) -> Answer:
    """Ask once, without following a redirect; the query is left out of `asked`. Raises Unanswered."""
    asked = f"{method} {url}"
    host = urlsplit(url).hostname or url
    until = time.monotonic() + SECONDS
    try:
        with http.stream(method, url, headers=headers, params=params, json=json, timeout=TIMEOUT) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > LARGEST:
                    raise Unanswered(
                        f"The answer of {host} is larger than it should be. Is this the right address?", asked
                    )
                if time.monotonic() > until:
                    raise Unanswered(_late(host), asked)
            return Answer(response.status_code, _json(bytes(content)), response.headers, asked)
    except httpx.HTTPError as error:
        raise Unanswered(_why(error, host), asked) from error


def _json(content: bytes) -> Any:
    try:
        return decode(content, exact=True)
    except BadBody:
        return None


def _late(host: str) -> str:
    return f"No answer came from {host} within {SECONDS:g} seconds."


def _why(error: httpx.HTTPError, host: str) -> str:
    if isinstance(error, httpx.TimeoutException):
        return _late(host)
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"The name {host} is not known here: the address is mistyped, or this machine is offline."
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return f"The certificate of {host} is not valid, so nothing was sent."
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"Nothing listens at {host} on this port."
    return f"The connection to {host} was not made, or broke off."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
