"""What waits for an admin, each a way to where it is dealt with; and the alerts that no banner above the page says."""

from typing import NamedTuple
from uuid import UUID

import streamlit as st

from core.alerts import Alert
from core.models import Person
from core.operations import Overview
from ui import alert_banners, words

SECTION = "section"  # the key of the page's switch between its sections
_SHOWN_ALERTS = 3


class Task(NamedTuple):
    """Something to look at, in words, and the section it is in."""

    label: str
    section: str


def tasks(overview: Overview) -> tuple[Task, ...]:
    """The most pressing first; empty when nothing waits."""
    waiting, stuck = overview.people_waiting, overview.stuck
    failed, dead = overview.failed_last_hour, overview.inbox.get("dead", 0)
    flagged = overview.payments_flagged
    needs = "needs" if flagged == 1 else "need"
    found = (
        (stuck, Task("1 job is stuck" if stuck == 1 else f"{words.number(stuck)} jobs are stuck", "Operations")),
        (flagged, Task(f"{words.count(flagged, 'payment')} {needs} a decision", "Money")),
        (dead, Task(words.count(dead, "dead letter"), "Operations")),
        (failed, Task(f"{words.count(failed, 'job')} failed in the last hour", "Operations")),
        (waiting, Task("1 person waits" if waiting == 1 else f"{words.number(waiting)} people wait", "People")),
    )
    return tuple(task for number, task in found if number)


def draw(person: Person, overview: Overview) -> None:
    """One line under the figures, and up to three alerts."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="attention"):
        month = words.escape(words.usd(overview.spent_month, 2))
        st.markdown(f":small[:gray[{month} spent this month]]", width="content")
        waiting = tasks(overview)
        if not waiting:
            st.markdown(":small[:gray[Nothing waits for you]]", width="content")
        for number, task in enumerate(waiting):
            st.button(
                f":small[{task.label}]",
                type="tertiary",
                icon=":material/arrow_forward:",
                icon_position="right",
                key=f"task-{number}",
                on_click=go,
                args=(task.section,),
            )
    for alert in quiet(person.alerts, person)[:_SHOWN_ALERTS]:
        st.markdown(f":small[:orange[●] {words.escape(alert.at_present.sentence)}]")


def quiet(found: tuple[Alert, ...], person: Person) -> tuple[Alert, ...]:
    """What holds now and no banner says: one a person, and one for the team's balance, the worst of each."""
    said = {(alert.kind, alert.user_id) for alert in alert_banners.loud(found, person)}
    worst: dict[tuple[str, UUID | None], Alert] = {}
    for alert in found:
        known = worst.get(about := (alert.kind, alert.user_id))
        if alert.is_current and about not in said and (known is None or _is_worse(alert, known)):
            worst[about] = alert
    return tuple(worst.values())


def _is_worse(one: Alert, other: Alert) -> bool:
    """Less of a balance, or more of a cap."""
    return one.threshold < other.threshold if one.kind == "team_balance" else one.threshold > other.threshold


def go(section: str) -> None:
    """For the callback of a button: the page opens at this section."""
    st.session_state[SECTION] = section
