"""Our sum against fal.ai's own books, for admins: per day and endpoint, and the requests that nobody here made."""

from decimal import Decimal

import pandas as pd
import streamlit as st

from core import billing, chores
from core.billing import Drift, ForeignCharge
from core.models import Person
from core.periods import Period
from core.settings import get_settings
from ui import numbers, session, words


def draw(person: Person, period: Period) -> None:
    st.space("small")
    st.subheader("Against the books of fal.ai", anchor=False)
    if not get_settings().fal_admin_key:
        st.markdown(":gray[With FAL_ADMIN_KEY set, what fal.ai billed is compared here with what was counted.]")
        return
    for state in chores.states(person):
        if state.name in ("billing", "usage") and state.last_error:
            st.warning(f"**{words.escape(state.label)}: fal.ai could not be asked.** {words.escape(state.last_error)}")
    found = billing.drift(person, period)
    if not found:
        st.markdown(":gray[No day of this period has been read at fal.ai yet.]")
        return
    st.markdown(f":small[{summary(found)}]")
    _table(found)
    _foreign(billing.foreign_charges(person, period))


def summary(found: tuple[Drift, ...]) -> str:
    """Markdown: fal.ai billed **$0.42 more** than was counted, $0.40 of it for 2 requests made elsewhere."""
    drift = sum((row.drift for row in found), Decimal(0))
    foreign = sum((row.foreign for row in found), Decimal(0))
    requests = sum(row.foreign_requests for row in found)
    if not drift:
        said = "fal.ai billed exactly what was counted"
    else:
        amount = words.escape(words.usd(abs(drift)))
        said = f"fal.ai billed **{amount} {'more' if drift > 0 else 'less'}** than was counted"
    if not requests:
        return f"{said}."
    made = words.count(requests, "request")
    return f"{said}; {words.escape(words.usd(foreign))} went to {made} that nobody made here."


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
    plain = [[float(value) if isinstance(value, Decimal) else value for value in row] for row in rows]
    usd = st.column_config.NumberColumn(format="$%.3f")
    st.dataframe(
        pd.DataFrame(plain, columns=list(columns)),
        hide_index=True,
        height="content" if len(rows) <= 10 else 420,
        row_height=40,
        key="table-drift",
        alt="Counted against billed, newest day first",
        column_config={
            **dict.fromkeys((name for name in columns if name.endswith("USD")), usd),
            "Difference, USD": st.column_config.NumberColumn(format="%+.3f"),
            "Day": st.column_config.DateColumn(format="D MMM YYYY"),
        },
    )
    numbers.download(columns, rows, file="drift")


def _foreign(found: tuple[ForeignCharge, ...]) -> None:
    if not found:
        return
    now, tz = session.now(), session.tz()
    st.markdown("Requests billed to the account that were not made here. Somebody uses the key elsewhere:")
    frame = pd.DataFrame(
        {
            "When": [words.exact(row.charged_at, now, tz) for row in found],
            "Endpoint": [row.endpoint for row in found],
            "Request": [row.request_id for row in found],
            "Billed, USD": [float(row.usd) for row in found],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        height="content" if len(found) <= 10 else 420,
        row_height=40,
        key="table-foreign",
        alt="Requests made elsewhere, newest first",
        column_config={"Billed, USD": st.column_config.NumberColumn(format="$%.3f")},
    )
    rows = [(row.charged_at, row.endpoint, row.request_id, row.usd, row.units) for row in found]
    numbers.download(("When", "Endpoint", "Request", "Billed, USD", "Units"), rows, file="requests-elsewhere")
