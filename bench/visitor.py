"""Somebody with a page open: a real Streamlit session over its websocket, without a browser around it.

Speaks Streamlit's own protocol (its protobuf messages): runs the page, and runs its fragments at the intervals that
the page asks for, as the browser does. What a browser does besides (painting, fetching files) is not in here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from core.sessions import COOKIE_NAME

LONGEST_RUN = 60.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the page or of a fragment: when it was asked for, how long until it was finished (seconds), and the
    size of what it sent."""

    at: float
    took: float
    size: int
    text: bytes = field(repr=False)


class PageBroke(Exception):
    """The page showed an error of its own."""


class Visitor:
    """One session. Open it with `arrive`, which is the first run of the page."""

    def __init__(self, app_url: str, cookie: str, page: str, query: str = "") -> None:
        self._app_url = app_url
        self._cookie = cookie
        self._page = "" if page == "generate" else page
        self._query = query
        self._socket: ClientConnection | None = None
        self.fragments: dict[str, float] = {}  # seconds between runs, by fragment
        self.script_hash = ""

    async def arrive(self) -> Run:
        """Open the page as the address bar does: a new session, and its first run to the end."""
        started = time.monotonic()
        self._socket = await connect(
            f"ws{self._app_url.removeprefix('http')}/_stcore/stream",
            additional_headers={"Cookie": f"{COOKIE_NAME}={self._cookie}"},
            origin=self._app_url,  # type: ignore[arg-type]
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None,
            compression=None,
        )
        return await self._run("", started=started)

    async def leave(self) -> None:
        if self._socket is not None:
            await self._socket.close()

    async def rerun(self, fragment: str = "") -> Run:
        """Run the page once more, or one of its fragments."""
        return await self._run(fragment)

    async def stay(self, until: float, on_run: Callable[[str, Run], Awaitable[None] | None] | None = None) -> None:
        """Keep the page open: each fragment runs when its interval is over, counted from the end of its last run."""
        due = {fragment: time.monotonic() + seconds for fragment, seconds in self.fragments.items()}
        while (now := time.monotonic()) < until:
            due = {f: due.get(f, now + seconds) for f, seconds in self.fragments.items()}
            fragment = min(due, key=lambda each: due[each]) if due else None
            if fragment is None or due[fragment] > until:
                await asyncio.sleep(until - now)
                return
            await asyncio.sleep(max(0.0, due[fragment] - now))
            run = await self._run(fragment)
            if fragment in self.fragments:
                due[fragment] = time.monotonic() + self.fragments[fragment]
            if on_run is not None and (waiting := on_run(fragment, run)) is not None:
                await waiting

    async def _run(self, fragment: str, started: float | None = None) -> Run:
        assert self._socket is not None
        request = BackMsg()
        state = request.rerun_script
        state.query_string = self._query
        state.page_name = self._page
        state.page_script_hash = self.script_hash
        state.fragment_id = fragment
        state.is_auto_rerun = bool(fragment)
        state.context_info.timezone = "Europe/Berlin"
        state.context_info.url = f"{self._app_url}/{self._page}"
        state.context_info.locale = "en"
        begun = started or time.monotonic()
        await self._socket.send(request.SerializeToString())
        parts: list[bytes] = []
        async with asyncio.timeout(LONGEST_RUN):
            while True:
                raw = await self._socket.recv(decode=False)
                assert isinstance(raw, bytes)
                parts.append(raw)
                if self._finished(raw):
                    break
        text = b"".join(parts)
        return Run(begun, time.monotonic() - begun, len(text), text)

    def _finished(self, raw: bytes) -> bool:
        message = ForwardMsg.FromString(raw)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            if not message.metadata.run.fragment_ids:
                self.fragments.clear()
                self.script_hash = message.new_session.page_script_hash
        elif kind == "auto_rerun":
            self.fragments[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                self.fragments.pop(fragment, None)
        elif kind == "delta" and message.delta.new_element.WhichOneof("type") == "exception":
            raise PageBroke(message.delta.new_element.exception.message)
        # A run that asks for another one ends early; the other one follows by itself.
        return bool(kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN)
