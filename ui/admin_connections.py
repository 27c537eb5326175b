"""Connections, for admins: what is simulated, what works, what is missing, and trying keys out before a restart."""

import re
from datetime import timedelta
from typing import Final, Literal

import streamlit as st

from core import connections
from core.connections import ACCEPTED, GROUPS, Drafted, Finding, Group, Report, State
from core.models import Person
from ui import connection_fields, connection_restart, session, words

_REPORT: Final = "connections-report"
_TRIED: Final = "connections-tried"
_FRESH: Final = timedelta(minutes=5)
# Where keys are made and accounts are mended, as they look escaped. What a service answered stands in these sentences
# too, and leads nowhere else.
_PAGE: Final = re.compile(
    r"(?<![\w.@/-])(?:fal\\\.ai/dashboard|dashboard\\\.stripe\\\.com|supabase\\\.com)(?:/[a-z]+)*"
)
_Color = Literal["green", "yellow", "blue", "gray", "red", "orange"]
_STATES: Final[dict[State, tuple[str, _Color]]] = {
    "works": ("Works", "green"),
    "warns": ("Look at this", "yellow"),
    "unproved": ("Not proved", "blue"),
    "simulated": ("Simulated", "gray"),
    "optional": ("Not set", "gray"),
    "missing": ("Missing", "red"),
    "refused": ("Refused", "red"),
    "unreachable": ("No answer", "orange"),
}


def draw(person: Person) -> None:
    """Raises NotAllowed for anybody but an admin."""
    drafted = connections.draft(connection_fields.typed())
    report = _report(person, drafted)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Connections", anchor=False, width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            st.markdown(f":small[:gray[Checked at {words.clock(report.at, session.tz())}]]", width="content")
            st.button("Check again", type="tertiary", key="connections-again", on_click=_forget)
    st.markdown(f":gray[{words.escape(summary(drafted, report))}]")
    for group in GROUPS:
        _group(group, drafted, report.findings[group])
    connection_restart.draw(person, drafted, report)


def summary(drafted: Drafted, report: Report) -> str:
    """What is simulated and how much is to be done, in a sentence or two."""
    found = [finding for findings in report.findings.values() for finding in findings]
    trouble = sum(finding.is_trouble for finding in found)
    names = [name for name in ("Supabase", "fal.ai", "Stripe") if name in drafted.simulated]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
    if listed:
        said = f"{listed} {'is' if len(names) == 1 else 'are'} simulated: nothing there is billed."
        said += " Try a key, then write it to the settings and start again."
    else:
        said = "Nothing is simulated."
    if trouble:
        said += f" {words.count(trouble, 'thing needs', 'things need')} you."
    return said


def linked(text: str) -> str:
    """Markdown: the text as it is, with the pages of fal.ai, Stripe and Supabase as links."""
    return _PAGE.sub(
        lambda found: f"[{found.group()}](https://{found.group().replace(chr(92), '')})", words.escape(text)
    )


def _report(person: Person, drafted: Drafted) -> Report:
    """What was found on this visit; asked for again when other keys are tried."""
    known: Report | None = st.session_state.get(_REPORT)
    tried = hash(tuple(sorted(connection_fields.typed().items())))
    if known is None or st.session_state.get(_TRIED) != tried or session.now() - known.at > _FRESH:
        with st.spinner("Asking fal.ai, Supabase and Stripe", show_time=False):
            known = connections.check(person, drafted)
        st.session_state[_REPORT], st.session_state[_TRIED] = known, tried
    return known


def _forget() -> None:
    st.session_state.pop(_REPORT, None)


def _group(group: Group, drafted: Drafted, findings: tuple[Finding, ...]) -> None:
    with st.container(border=True, key=f"connection-{group.split('.')[0].split()[0].lower()}"):
        st.subheader(group, anchor=False)
        # One line says it all about a part that is simulated as a whole.
        for finding in findings[:1] if all(one.state == "simulated" for one in findings) else findings:
            _finding(finding)
        if group in ACCEPTED:
            connection_fields.draw(group, drafted)


def _finding(finding: Finding) -> None:
    label, color = _STATES[finding.state]
    names = " ".join(f"`{name}`" for name in finding.names if len(finding.names) <= 2)
    with st.container(gap=None):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{words.escape(finding.part)}**", width="content")
            st.badge(label, color=color)
            st.markdown(f":small[{names}]" if names else "", width="content")
        st.markdown(linked(f"{finding.sentence} {finding.todo}"))
        if finding.asked:
            st.markdown(f":small[:gray[Asked: {words.escape(finding.asked)}]]")
