"""A fal.ai for unit tests: a transport that answers what the test says and remembers what it was asked."""

from collections.abc import Callable
from typing import Any

import httpx

from core.settings import Settings, load

KEY = "test-key-id:test-key-secret"
ADMIN_KEY = "admin-key-id:admin-key-secret"
SETTINGS: Settings = load({"FAL_KEY": KEY, "FAL_ADMIN_KEY": ADMIN_KEY})

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Wire:
    """`http` answers with the given answers in turn, the last one again and again; `requests` holds what was sent."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.http = httpx.Client(transport=httpx.MockTransport(self._handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer


def reply(status: int, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)
