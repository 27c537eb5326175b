"""Who asks when: copying files gives way while verdicts pile up, and while there is nothing only one loop asks."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import Mock

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


class Idle(Worker):
    """Whose claims find nothing, and which says how often each loop asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.due = {"outputs": False, "runs": False}
        self.many_looks, self.copying, self.carrying = threading.Event(), threading.Event(), threading.Event()

    def _claim(self, **limits: int) -> dict[str, Any]:
        kind = "copy" if limits["p_outputs"] else "look"
        self.asked[kind] += 1
        if kind == "copy" and any(self.due.values()):
            self.copying.set()
        if self.asked["look"] >= 30:
            self.many_looks.set()
        return {"jobs": [], "costs": [], "outputs": [], "waiting": dict(self.due)}

    def carry_on(self, _pool: ThreadPoolExecutor) -> bool:
        self.asked["carry_on"] += 1
        if any(self.due.values()):
            self.carrying.set()
        return False


def test_while_there_is_nothing_only_one_loop_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(worker, "UNCALLED_SECONDS", 60.0)
    own = Idle()
    monkeypatch.setattr(own, "_chores", Mock())
    own.start()
    try:
        assert own.many_looks.wait(30)
        assert (own.asked["copy"], own.asked["carry_on"]) == (1, 1)  # when they began
        own.due["outputs"] = True
        assert own.copying.wait(30)
        assert not own.carrying.is_set()
        own.due["runs"] = True
        assert own.carrying.wait(30)
    finally:
        own.stop()
    assert not any(thread.is_alive() for thread in own._threads)


def test_who_is_not_called_looks_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop that calls may be held up by fal.ai."""
    monkeypatch.setattr(worker, "UNCALLED_SECONDS", 0.01)
    own = Idle()
    monkeypatch.setattr(own, "look", lambda _pool: own._stopping.wait(30))
    monkeypatch.setattr(own, "_threads", own._threads[1:])
    monkeypatch.setattr(own, "_chores", Mock())
    own.due["outputs"] = True
    own.start()
    try:
        assert own.copying.wait(30)
        assert own.carrying.wait(30)
    finally:
        own.stop()


def test_a_worker_that_stumbles_at_every_turn_says_so_until_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(worker, "TROUBLE_SECONDS", 0.01)
    own = Idle()
    broken, often, well = threading.Event(), threading.Event(), threading.Event()
    broken.set()

    def look(_pool: ThreadPoolExecutor) -> bool:
        own.asked["look"] += 1
        if broken.is_set():
            if own.asked["look"] > worker.STUMBLES:
                often.set()
            raise KeyError("waiting")
        if own.asked["well"]:  # this turn began after one that went well
            well.set()
        own.asked["well"] += 1
        return False

    monkeypatch.setattr(look, "__name__", "look", raising=False)
    monkeypatch.setattr(own, "_chores", Mock())
    monkeypatch.setattr(own, "_threads", [threading.Thread(target=own._run, args=(look,), daemon=True)])
    assert own.trouble() == []
    own.start()
    try:
        assert often.wait(30)
        assert own.trouble() == ["The worker stumbles at every turn (look): its log says why."]
        broken.clear()
        assert well.wait(30)
        assert own.trouble() == []
    finally:
        own.stop()


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
