"""The webhook inbox for admins: every verified call, its payload, and replaying those that failed for good."""

from functools import partial

import streamlit as st

from core import operations
from core.admin import replay
from core.admin.replay import Replay
from core.models import Person
from core.operations import InboxDetail, InboxEvent, Overview
from ui import acting, guard, inbox_table, session, words

_PLACE = "inbox"
_STATUS, _PROVIDER, _TEXT, _SHOWN = "inbox-status", "inbox-provider", "inbox-text", "inbox-shown"
_PAGE = 25
_MOST = 500
_COUNTED = 1_000


def read(person: Person) -> tuple[InboxEvent, ...]:
    """What the section shows, as it is filtered."""
    status, provider, text = (st.session_state.get(key) or "" for key in (_STATUS, _PROVIDER, _TEXT))
    shown = min(int(st.session_state.get(_SHOWN, _PAGE)), _MOST)
    return operations.inbox(person, status=status or None, provider=provider or None, text=text.strip(), limit=shown)


def draw(person: Person, overview: Overview) -> None:
    st.space("small")
    counts = {"": sum(overview.inbox.values()), **overview.inbox}
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Webhook inbox", anchor=False, width="content")
        status = st.pills(
            "Status",
            ["", *inbox_table.STATUSES],
            format_func=lambda name: f"{inbox_table.label(name)} {counted(counts.get(name, 0))}",
            default=None if _STATUS in st.session_state else "",
            required=True,
            key=_STATUS,
            label_visibility="collapsed",
            on_change=_from_the_top,
        )
    provider, text = _filters()
    acting.outcome(_PLACE)
    events = read(person)
    if text:
        st.markdown(f":small[:gray[Looked for in the calls of the last {operations.SEARCH_DAYS} days.]]")
    if not events:
        st.markdown(":gray[None of this kind.]" if status or provider or text else ":gray[No call has come in.]")
        return
    chosen = inbox_table.draw(events)
    _below(events, chosen, int(st.session_state.get(_SHOWN, _PAGE)), overview.inbox.get("dead", 0))


def counted(number: int) -> str:
    """234, and 1,000+ for all that are more: they are not counted further."""
    return f"{words.number(_COUNTED)}+" if number > _COUNTED else words.number(number)


def _filters() -> tuple[str | None, str]:
    with st.container(horizontal=True, vertical_alignment="center"):
        provider = st.selectbox(
            "From",
            list(words.PROVIDERS),
            index=None,
            format_func=words.PROVIDERS.__getitem__,
            placeholder="From anybody",
            key=_PROVIDER,
            label_visibility="collapsed",
            on_change=_from_the_top,
            width=170,
        )
        text = st.text_input(
            "Search calls",
            key=_TEXT,
            placeholder="Request, job, error",
            label_visibility="collapsed",
            icon=":material/search:",
            on_change=_from_the_top,
            width=230,
        )
    return provider, (text or "").strip()


def _from_the_top() -> None:
    st.session_state[_SHOWN] = _PAGE


def _below(events: tuple[InboxEvent, ...], chosen: tuple[InboxEvent, ...], shown: int, dead: int) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(":small[:gray[A failed call tries again by itself. A dead one waits for you.]]", width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            if len(events) == shown < _MOST:
                st.button("Show more", type="tertiary", key="inbox-more", on_click=_show_more, args=(shown,))
            if st.button("Look at it", key="inbox-look", disabled=len(chosen) != 1):
                _detail(chosen[0])
            if dead:
                st.button(
                    f"Replay all {words.number(dead)} dead",
                    key="inbox-replay-dead",
                    on_click=acting.attempt,
                    args=(_PLACE, _replay_dead),
                )
            st.button(
                "Replay selected",
                key="inbox-replay",
                disabled=not chosen,
                on_click=acting.attempt,
                args=(_PLACE, partial(_replay, [event.id for event in chosen])),
            )


def _show_more(shown: int) -> None:
    st.session_state[_SHOWN] = shown + _PAGE


def _replay(event_ids: list[int], person: Person) -> str:
    """One after the other; the first that is refused stops it with its reason."""
    return outcome(tuple(replay.replay(person, event_id) for event_id in event_ids))


def _replay_dead(person: Person) -> str:
    return outcome(replay.replay_dead(person))


def outcome(done: tuple[Replay, ...]) -> str:
    """2 replayed: 1 processed, 1 dead: No job with this request."""
    counts: dict[str, int] = {}
    for each in done:
        counts[each.status] = counts.get(each.status, 0) + 1
    said = ", ".join(f"{number} {status}" for status, number in counts.items())
    problem = next((each.error for each in done if each.error), None)
    return f"{len(done)} replayed: {said}." + (f" {problem}" if problem else "")


@st.dialog("Webhook call", width=1040)
def _detail(event: InboxEvent) -> None:
    person = guard.require(admin=True)
    with guard.told():
        found = operations.event(person, event.id)
        left, right = st.columns([2, 3], gap="medium")
        with left:
            st.table(_facts(found), border="horizontal", alt="Facts about this call")
        with right:
            st.markdown("Payload")
            st.json(found.payload, expanded=2)
            st.markdown("Headers")
            st.json(found.headers, expanded=False)


def _facts(found: InboxDetail) -> dict[str, str]:
    """Label → words, escaped for the table's markdown."""
    now, tz, event = session.now(), session.tz(), found.event
    facts = {
        "From": words.PROVIDERS.get(event.provider, event.provider),
        "Event": inbox_table.event_words(event.event_type),
        "Status": inbox_table.label(event.status),
        "Verdict": inbox_table.result(event.result),
        "Received": words.exact(event.received_at, now, tz),
        "Done": words.exact(found.processed_at, now, tz) if found.processed_at else None,
        "Tries": words.number(event.attempts),
        "Repeats": words.number(event.repeats),
        "Error": event.error,
        "Job": event.job_id,
        "Job is": (found.job_status or "").replace("_", " ").capitalize(),
        "Key": found.event_key,
    }
    return {f":gray[{name}]": words.escape(value) for name, value in facts.items() if value}
