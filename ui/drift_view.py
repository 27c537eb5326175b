"""Our sum against fal.ai's own books, for admins: per day and endpoint, and the requests that nobody here made."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import streamlit as st

from core import billing, chores, fal_account
from core.billing import Drift, ForeignCharge, UnbilledJob
from core.models import Person
from core.periods import Period
from core.settings import get_settings
from core.together import Read
from ui import acting, fal_account_view, numbers, pulse, session, words

_PLACE = "drift"
_ASKED = "drift-asked"
_CHORES = ("billing", "usage")
_WAIT = timedelta(minutes=1)
_LOOK_SECONDS = 2
_LONG = 10  # rows; more of them scroll
_USD = st.column_config.NumberColumn(format="$%.3f")


def reads(person: Person, period: Period) -> list[Read]:
    """What the section asks for: see `core.together`."""
    wanted: list[Read] = [partial(fal_account.pinned, person)]
    if get_settings().fal_admin_key:
        wanted += [
            partial(chores.states, person),
            partial(billing.drift, person, period),
            partial(billing.unbilled_jobs, person, period),
            partial(billing.foreign_charges, person, period),
        ]
    return wanted


def draw(person: Person, period: Period) -> None:
    st.space("small")
    with_key = bool(get_settings().fal_admin_key)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Against the books of fal.ai", anchor=False, width="content")
        if with_key:
            st.button("Compare now", type="tertiary", key="compare", on_click=acting.attempt, args=(_PLACE, _hurry))
    acting.outcome(_PLACE)
    if _ASKED in st.session_state:
        _await(person)
    if with_key:
        _compare(person, period)
    else:
        st.markdown(":gray[With FAL_ADMIN_KEY set, what fal.ai billed is compared here with what was counted.]")
    fal_account_view.draw(person)


@dataclass(frozen=True, slots=True)
class _Asked:
    """When the chores were hurried, and when they had last ended then: by the database's clock, which may differ."""

    at: datetime
    ends: dict[str, tuple[datetime | None, datetime | None]]


def _hurry(person: Person) -> str:
    ends = _ends(person)
    known = [chores.hurry(person, name) for name in _CHORES]
    if not any(known):
        return "No worker runs at the moment. It is compared when one does."
    st.session_state[_ASKED] = _Asked(session.now(), ends)
    return "fal.ai is asked within seconds. What it says appears here by itself."


def _ends(person: Person) -> dict[str, tuple[datetime | None, datetime | None]]:
    """When each of the chores last ended well and badly."""
    known = {state.name: (state.last_ok_at, state.last_error_at) for state in chores.states(person)}
    return {name: known.get(name, (None, None)) for name in _CHORES}


@st.fragment
def _await(person: Person) -> None:
    """Looks until all chores have ended since they were hurried; then the page runs again, with what they found."""
    asked: _Asked = st.session_state[_ASKED]
    ends = _ends(person)
    if all(ends[name] != asked.ends[name] for name in _CHORES):
        del st.session_state[_ASKED]
        st.rerun()
    if session.now() - asked.at > _WAIT:
        st.markdown(":small[:gray[No worker has asked fal.ai within a minute. Admin, Operations says what is wrong.]]")
        return
    pulse.every(_LOOK_SECONDS, "drift", idle_seconds=_LOOK_SECONDS)
    st.markdown(":small[:gray[fal.ai is being asked. What it says appears here by itself.]]")


def _compare(person: Person, period: Period) -> None:
    for state in chores.states(person):
        if state.name in _CHORES and state.last_error:
            st.warning(f"**{words.escape(state.label)}: fal.ai could not be asked.** {words.escape(state.last_error)}")
    found = billing.drift(person, period)
    if not found:
        st.markdown(
            ":gray[No spend of this period can be compared yet: fal.ai's books are a few minutes behind, and they are "
            "read every quarter of an hour.]"
        )
        return
    unbilled = billing.unbilled_jobs(person, period)
    st.markdown(f":small[{summary(found, unbilled)}]")
    _table(found)
    if (until := next((row.until for row in found if row.until), None)) is not None:
        at = words.escape(words.exact(until, session.now(), session.tz()))
        st.markdown(f":small[:gray[The present day is compared up to {at}: fal.ai's books are a few minutes behind.]]")
    _foreign(billing.foreign_charges(person, period))
    _unbilled(unbilled)


def summary(found: tuple[Drift, ...], unbilled: tuple[UnbilledJob, ...] = ()) -> str:
    """Markdown: fal.ai billed **$0.42 more** than was counted: $0.40 went to 2 requests that nobody made here."""
    drift = sum((row.drift for row in found), Decimal(0))
    foreign = sum((row.foreign for row in found), Decimal(0))
    requests = sum(row.foreign_requests for row in found)
    said = "fal.ai billed exactly what was counted"
    if drift:
        amount = words.escape(words.usd(abs(drift)))
        said = f"fal.ai billed **{amount} {'more' if drift > 0 else 'less'}** than was counted"
    parts = []
    if requests:
        made = words.count(requests, "request")
        parts.append(f"{words.escape(words.usd(foreign))} went to {made} that nobody made here")
    if unbilled:
        counted = words.escape(words.usd(sum((job.usd for job in unbilled), Decimal(0))))
        parts.append(f"{counted} of {words.count(len(unbilled), 'job')} has not been billed")
    return f"{said}{': ' if parts else ''}{', '.join(parts)}."


def _table(found: tuple[Drift, ...]) -> None:
    columns = (
        "Day",
        "Endpoint",
        "Counted, USD",
        "Billed, USD",
        "Difference, USD",
        "Made elsewhere, USD",
        "Requests elsewhere",
    )
    rows = [(row.day, row.endpoint, row.ours, row.fal, row.drift, row.foreign, row.foreign_requests) for row in found]
    config = {
        **dict.fromkeys((name for name in columns if name.endswith("USD")), _USD),
        "Difference, USD": st.column_config.NumberColumn(format="%+.3f"),
        "Day": st.column_config.DateColumn(format="D MMM YYYY"),
    }
    numbers.table(
        columns, rows, file="drift", alt="Counted against billed, newest day first", config=config, most=_LONG
    )


def _foreign(found: tuple[ForeignCharge, ...]) -> None:
    if not found:
        return
    st.markdown("Requests billed to the account that were not made here. Somebody uses the key elsewhere:")
    numbers.table(
        ("When", "Endpoint", "Request", "Billed, USD", "Units"),
        [(row.charged_at, row.endpoint, row.request_id, row.usd, row.units) for row in found],
        file="requests-elsewhere",
        alt="Requests made elsewhere, newest first",
        config={"Billed, USD": _USD},
        most=_LONG,
    )


def _unbilled(found: tuple[UnbilledJob, ...]) -> None:
    if not found:
        return
    st.markdown("Jobs that are counted here and that fal.ai has not billed:")
    numbers.table(
        ("Ended", "Endpoint", "Request", "Counted, USD", "Cost is", "Bill"),
        [
            (
                job.ended_at,
                job.endpoint,
                job.request_id,
                job.usd,
                job.cost_source,
                "Looked for" if job.is_expected else "Not expected any more",
            )
            for job in found
        ],
        file="jobs-without-a-bill",
        alt="Jobs without a bill, newest first",
        config={"Counted, USD": _USD},
        most=_LONG,
    )
