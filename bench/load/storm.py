"""Webhooks at a fixed rate, as fal.ai sends them: each is due at a time of its own, whatever became of the others.

A call that is not answered 2xx comes again after fal.ai's own pauses, signed anew. Delays count from when a call was
due, so a receiver that falls behind cannot hide it. Among them are calls that nobody may believe.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.load.finished import Finished
from bench.sender import answer, request_bytes
from local.fal.webhooks import FIRST_WAIT_S, LONGEST_WAIT_S, MAX_TRIES, Signer

NO_ANSWER = 0
TIMEOUT_SECONDS = 15.0  # of fal.ai's first try
STALE_SECONDS = 400
WICKED = ("forged", "stale", "stranger", "token")


@dataclass(slots=True, eq=False)
class Call:
    """One call that is owed. `kind` is `verdict`, `repeat`, or how it is wicked; `due` is of time.monotonic."""

    kind: str
    about: Finished
    due: float
    tries: int = 0


@dataclass
class Told:
    """What became of the calls. `delays` in seconds from when they were due, of calls acknowledged at their first try;
    `first` the statuses of first tries (0: no answer), `all` of every try, by kind of call."""

    acknowledged: set[str] = field(default_factory=set)  # jobs
    first: "Counter[int]" = field(default_factory=Counter)
    every: "Counter[tuple[str, int]]" = field(default_factory=Counter)
    delays: list[float] = field(default_factory=list)
    late_sends: list[float] = field(default_factory=list)
    given_up: int = 0
    seconds: float = 0.0  # from the first call until the last first try was answered
    all_seconds: float = 0.0  # until nothing was owed any more

    @property
    def believed(self) -> int:
        """Wicked calls that were not refused; while the companion is away it refuses nobody."""
        return sum(n for (kind, status), n in self.every.items() if kind in WICKED and status not in (401, 503, 0))

    @property
    def rate(self) -> float:
        """Verdicts a second that were acknowledged at their first try."""
        return self.first[200] / self.seconds if self.seconds else 0.0


class Storm:
    """Sends the verdicts at `rate` a second over so many connections; every so-many-th is followed by a wicked call, or
    by the same once more. `pause_factor` shortens fal.ai's pauses between tries."""

    def __init__(
        self, signer: Signer, rate: float, connections: int, *, pause_factor: float = 1.0, wicked_every: int = 25
    ) -> None:
        self._signer = signer
        self._rate = rate
        self._connections = connections
        self._pause_factor = pause_factor
        self._wicked_every = wicked_every
        self._queue: asyncio.Queue[Call] = asyncio.Queue()
        self._owed = 0
        self._first_owed = 0
        self._begun = 0.0
        self.told = Told()

    async def send(self, verdicts: Sequence[Finished]) -> Told:
        """Send all of them, and again what was not acknowledged, until nothing is owed."""
        self._begun = time.monotonic()
        calls = list(self._schedule(verdicts))
        self._owed, self._first_owed = len(calls), len(verdicts)
        workers = [asyncio.create_task(self._connection()) for _ in range(self._connections)]
        for call in calls:
            await asyncio.sleep(max(0.0, call.due - time.monotonic()))
            self._queue.put_nowait(call)
        while self._owed:
            await asyncio.sleep(0.05)
        self.told.all_seconds = time.monotonic() - self._begun
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        return self.told

    def _schedule(self, verdicts: Sequence[Finished]) -> Iterator[Call]:
        chance = random.Random("storm")
        for number, verdict in enumerate(verdicts):
            due = self._begun + number / self._rate
            if number % self._wicked_every == 0:
                yield Call(chance.choice(WICKED), verdict, due)  # before the true one: it may not end anything
            yield Call("verdict", verdict, due)
            if number % self._wicked_every == 1:
                yield Call("repeat", verdict, due)

    async def _connection(self) -> None:
        """Sends one call after the other over one connection, and over a new one when that broke."""
        line = _Line()
        try:
            while True:
                call = await self._queue.get()
                sent = time.monotonic()
                try:
                    async with asyncio.timeout(TIMEOUT_SECONDS):
                        status = await line.send(call.about.url, self._request(call))
                except (OSError, EOFError, TimeoutError):
                    status = NO_ANSWER
                    await line.close()
                self._answered(call, status, sent)
        finally:
            await line.close()

    def _answered(self, call: Call, status: int, sent: float) -> None:
        now, told = time.monotonic(), self.told
        told.every[call.kind, status] += 1
        call.tries += 1
        if call.kind == "verdict":
            if call.tries == 1:
                told.first[status] += 1
                told.late_sends.append(sent - call.due)
                if status == 200:
                    told.delays.append(now - call.due)
                self._first_owed -= 1
                if not self._first_owed:
                    told.seconds = now - self._begun
            if status == 200:
                told.acknowledged.add(call.about.job)
        if call.kind in WICKED or 200 <= status < 300:
            self._owed -= 1
        elif call.tries >= MAX_TRIES:
            told.given_up += 1
            self._owed -= 1
        else:
            pause = min(FIRST_WAIT_S * 2 ** (call.tries - 1), LONGEST_WAIT_S) * self._pause_factor
            asyncio.get_running_loop().call_later(pause, self._queue.put_nowait, call)

    def _request(self, call: Call) -> bytes:
        about, url = call.about, call.about.url
        timestamp = int(time.time()) - STALE_SECONDS if call.kind == "stale" else None
        user = {"user_id": "somebody-else|1"} if call.kind == "stranger" else {}
        headers = self._signer.headers(
            about.request, about.body, timestamp=timestamp, forged=call.kind == "forged", **user
        )
        if call.kind == "token":
            url = url[:-4] + ("0000" if not url.endswith("0000") else "1111")
        return request_bytes(url, {"Content-Type": "application/json", **headers}, about.body)


class _Line:
    """A keep-alive connection, opened when it is needed."""

    def __init__(self) -> None:
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, url: str, request: bytes) -> int:
        """The status of the answer. Raises OSError and EOFError."""
        if self._streams is None:
            parts = urlsplit(url)
            self._streams = await asyncio.open_connection(parts.hostname, parts.port)
        reader, writer = self._streams
        writer.write(request)
        return await answer(reader)

    async def close(self) -> None:
        if self._streams is not None:
            (_, writer), self._streams = self._streams, None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
