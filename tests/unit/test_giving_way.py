"""Copying files gives way while verdicts pile up, and not for ever."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core import inbox, worker
from core.inbox import PRESSED, Inbox
from core.worker import GIVES_WAY_SECONDS, Worker


class Claims(Worker):
    """Claims nothing, and counts how often it was asked to."""

    def __init__(self, pressed: bool) -> None:
        super().__init__(lambda: pressed)
        self.claims = 0

    def _claim(self, **limits: int) -> dict[str, Any]:
        assert limits["p_outputs"]
        self.claims += 1
        return {"outputs": []}


def test_files_are_copied_while_there_is_room() -> None:
    own = Claims(pressed=False)
    with ThreadPoolExecutor(1) as pool:
        own.copy(pool)
    assert own.claims == 1


def test_files_wait_for_verdicts_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: clock[0])
    own = Claims(pressed=True)
    with ThreadPoolExecutor(1) as pool:
        assert not own.copy(pool)  # so the loop pauses before it looks again
        assert own.claims == 0
        clock[0] += GIVES_WAY_SECONDS
        own.copy(pool)
        own.copy(pool)
        assert own.claims == 1  # once, and then they wait again


def test_calls_that_wait_for_the_next_batch_are_pressure(monkeypatch: pytest.MonkeyPatch) -> None:
    under_way, go_on = threading.Event(), threading.Event()

    class Slow:
        def call(self, _name: str, p_events: list[dict[str, str]]) -> dict[str, str]:
            under_way.set()
            assert go_on.wait(10)
            return {event["event_key"]: "settled" for event in p_events}

    monkeypatch.setattr(inbox, "get_database", Slow)

    async def calls() -> None:
        own = Inbox()
        first = asyncio.create_task(own.receive({"event_key": "first"}))
        await asyncio.to_thread(under_way.wait, 10)
        assert not own.is_pressed()
        others = [asyncio.create_task(own.receive({"event_key": str(number)})) for number in range(PRESSED)]
        await asyncio.sleep(0)
        assert own.is_pressed()
        go_on.set()
        await asyncio.gather(first, *others)
        assert not own.is_pressed()

    asyncio.run(calls())
