"""Somebody who does things on a page: sees its widgets, writes, chooses, presses buttons and goes to other pages.

The browser's part of Streamlit's protocol: every run is told what was set so far, a press is told once, and a widget of
a fragment runs that fragment only. Widgets are named by the `key` that our pages give them.
"""

from dataclasses import dataclass

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from bench.visitor import Run, Visitor


@dataclass(frozen=True, slots=True)
class Widget:
    """`kind` in Streamlit's word: button, text_area, text_input, selectbox, button_group."""

    id: str
    kind: str
    label: str
    options: tuple[str, ...]
    disabled: bool
    fragment: str


class NotThere(Exception):
    """The page has no such widget at the moment, or it is switched off."""


class Hands(Visitor):
    """A visitor who clicks. `alerts` and `toasts` are what was said since, `widgets` what can be used now, by key."""

    def __init__(self, app_url: str, cookie: str, page: str) -> None:
        super().__init__(app_url, cookie, page)
        self.widgets: dict[str, Widget] = {}
        self.alerts: list[str] = []
        self.toasts: list[str] = []
        self._set: dict[str, WidgetState] = {}

    async def go(self, page: str) -> Run:
        """Choose another page in the menu, in the same session."""
        self._page, self._query, self.script_hash = ("" if page == "generate" else page), "", ""
        self._set.clear()
        return await self._run("")

    async def press(self, key: str) -> Run:
        widget = self._widget(key)
        return await self._run(widget.fragment, button=widget.id)

    async def write(self, key: str, text: str) -> Run:
        return await self._choose(key, WidgetState(string_value=text))

    async def pick(self, key: str, option: str) -> Run:
        """Choose an option by what is written on it: of a selectbox, or of a segmented control."""
        if option not in (widget := self._widget(key)).options:
            raise NotThere(f"{key} has no {option}")
        state = WidgetState(string_value=option)
        if widget.kind == "button_group":
            state = WidgetState()
            state.string_array_value.data.append(option)
        return await self._choose(key, state)

    def keys(self, start: str) -> list[str]:
        """The keys of what can be used now, of those that begin so."""
        return [key for key, widget in self.widgets.items() if key.startswith(start) and not widget.disabled]

    async def _choose(self, key: str, state: WidgetState) -> Run:
        widget = self._widget(key)
        state.id = widget.id
        self._set[widget.id] = state
        return await self._run(widget.fragment, by_itself=False)

    def _widget(self, key: str) -> Widget:
        widget = self.widgets.get(key)
        if widget is None or widget.disabled:
            raise NotThere(key)
        return widget

    def _widget_states(self) -> list[WidgetState]:
        return list(self._set.values())

    def _seen(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            again = set(message.metadata.run.fragment_ids)
            self.widgets = {key: one for key, one in self.widgets.items() if again and one.fragment not in again}
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "delta":
            self._element(message)

    def _element(self, message: ForwardMsg) -> None:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "alert":
            self.alerts.append(element.alert.body)
        elif kind == "toast":
            self.toasts.append(element.toast.body)
        elif kind in ("button", "text_area", "text_input", "selectbox", "button_group"):
            shown = getattr(element, kind)
            options: tuple[str, ...] = ()
            if kind == "selectbox":
                options = tuple(shown.options)
            elif kind == "button_group":
                options = tuple(option.content for option in shown.options)
            key = shown.id.split("-", 2)[2] if shown.id.count("-") >= 2 else shown.id
            fragment = message.delta.fragment_id
            self.widgets[key] = Widget(shown.id, kind, shown.label, options, shown.disabled, fragment)
