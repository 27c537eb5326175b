"""Somebody with a page open: a real Streamlit session over its websocket, without a browser around it.

Speaks Streamlit's own protocol (its protobuf messages): runs the page, and runs its fragments at the intervals that
the page asks for, as the browser does. What a browser does besides (painting, fetching files) is not in here.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

from core.sessions import COOKIE_NAME

LONGEST_RUN = 60.0
_PULSE = re.compile(r'data-pulse="(\w+)" data-every="(\d+)"')


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the page or of a fragment: when it was asked for, how long until it was finished (seconds), and the
    size of what it sent."""

    at: float
    took: float
    size: int
    text: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Timer:
    """A fragment that runs again by itself: by the browser's timer, or by a button that a script presses."""

    seconds: float
    fragment: str
    button: str = ""


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
        self.timers: dict[str, Timer] = {}  # what refreshes itself: by fragment, or by the name of its pulse
        self._pulse: tuple[str, float] | None = None  # one whose button is on its way
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

    async def rerun(self) -> Run:
        """Run the page once more."""
        return await self._run("")

    async def refresh(self, seconds: float) -> Run:
        """What refreshes itself every so many seconds does it now."""
        timer = next(each for each in self.timers.values() if each.seconds == seconds)
        return await self._run(timer.fragment, button=timer.button)

    async def stay(
        self, until: float, on_run: Callable[[str, Run], None] | None = None, *, underway: bool = False
    ) -> None:
        """Keep the page open and in view: what refreshes itself does so, an interval after its last run.

        `underway`: the page has been open for a while, so each timer is somewhere within its interval. Many visitors
        whom one program lets begin at once would otherwise all ask at the same moment, as people never do.
        """
        share = random.random() if underway else 1.0
        due = {name: time.monotonic() + share * timer.seconds for name, timer in self.timers.items()}
        while (now := time.monotonic()) < until:
            due = {name: due.get(name, now + timer.seconds) for name, timer in self.timers.items()}
            name = min(due, key=lambda each: due[each]) if due else None
            if name is None or due[name] > until:
                await asyncio.sleep(until - now)
                return
            await asyncio.sleep(max(0.0, due[name] - now))
            timer = self.timers[name]
            run = await self._run(timer.fragment, button=timer.button)
            due[name] = time.monotonic() + timer.seconds
            if on_run is not None:
                on_run(name, run)

    async def _run(
        self, fragment: str, started: float | None = None, button: str = "", *, by_itself: bool = True
    ) -> Run:
        assert self._socket is not None
        request = BackMsg()
        state = request.rerun_script
        state.query_string = self._query
        state.page_name = self._page
        state.page_script_hash = self.script_hash
        state.fragment_id = fragment
        state.is_auto_rerun = bool(fragment) and by_itself and not button
        state.widget_states.widgets.extend(self._widget_states())
        if button:
            pressed = state.widget_states.widgets.add()
            pressed.id, pressed.trigger_value = button, True
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

    def _widget_states(self) -> list[WidgetState]:
        """What this somebody has set on the page: nothing."""
        return []

    def _seen(self, message: ForwardMsg) -> None:
        """Called with everything that the page sends."""

    def _finished(self, raw: bytes) -> bool:
        message = ForwardMsg.FromString(raw)
        self._seen(message)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            if not message.metadata.run.fragment_ids:
                self.timers.clear()
                self.script_hash = message.new_session.page_script_hash
        elif kind == "navigation":  # new_session names the script that all pages begin with
            self.script_hash = message.navigation.page_script_hash
        elif kind == "auto_rerun":
            fragment = message.auto_rerun.fragment_id
            self.timers[fragment] = Timer(message.auto_rerun.interval, fragment)
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                self.timers.pop(fragment, None)
        elif kind == "delta":
            self._look_at(message)
        # A run that asks for another one ends early; the other one follows by itself.
        return bool(kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN)

    def _look_at(self, message: ForwardMsg) -> None:
        """An element: an error of the page, or a pulse (`ui.pulse`), which a script in the page presses."""
        element = message.delta.new_element
        what = element.WhichOneof("type")
        if what == "exception":
            raise PageBroke(element.exception.message)
        if what == "html" and (found := _PULSE.search(element.html.body)):
            self._pulse = found[1], float(found[2])
        elif (
            what == "button"
            and self._pulse is not None
            and element.button.id.endswith(f"pulse-{self._pulse[0]}-button")
        ):
            name, seconds = self._pulse
            self.timers[name] = Timer(seconds, message.delta.fragment_id, element.button.id)
            self._pulse = None
