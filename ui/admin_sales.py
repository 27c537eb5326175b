"""Sales for admins: from seeing the packs to a purchase, baskets, revenue per person, how webhooks do; alerts."""

from decimal import Decimal

import pandas as pd
import streamlit as st

from core import alerts, revenue
from core.models import Person
from core.revenue import WEBHOOK_TARGET, BuyerRevenue, PaymentMetrics
from ui import figures, numbers, session, words

_DAYS = {"Last 7 days": 7, "Last 30 days": 30, "Last 90 days": 90}
_DEFAULT = "Last 30 days"
_PERIOD = "sales-period"
_DELIVERY = {"none": "On screen only", "waiting": "Waiting to be posted", "sent": "Posted", "failed": "Not posted"}


def read(person: Person) -> PaymentMetrics:
    """The figures of the period that is chosen."""
    return revenue.payment_metrics(person, days=_DAYS[st.session_state.get(_PERIOD) or _DEFAULT])


def draw(person: Person) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Sales", anchor=False, width="content")
        first = list(_DAYS).index(_DEFAULT)
        st.selectbox("Period", list(_DAYS), index=first, key=_PERIOD, label_visibility="collapsed", width=160)
    found = read(person)
    _figures(found)
    if found.people:
        _people(found.people)
    else:
        st.markdown(":gray[Nobody bought credits in this period.]")
    _alerts(person)


def _figures(found: PaymentMetrics) -> None:
    with st.container(key="figures-sales"), st.grid(4, min_column_width=150, gap="small"):
        figures.metric("Packs seen", words.number(found.seen), f"by {words.count(found.seen_by, 'person', 'people')}")
        figures.metric("Checkouts", words.number(found.checkouts), _rate(found.checkout_conversion, "bought"))
        figures.metric("Purchases", words.number(found.purchases), _rate(found.conversion, "of views"))
        figures.metric(
            "Average basket", _euros(found.average_basket), f"{words.euros(words.of_cents(found.gross_cents))} in all"
        )
        figures.metric(
            "Per buyer", _euros(found.revenue_per_person), f"{words.euros(words.of_cents(found.revenue_cents))} kept"
        )
        for provider, name in words.PROVIDERS.items():
            health = found.webhook(provider)
            value = "None yet" if health.rate is None else f"{(health.rate * 100).quantize(Decimal('0.1'))}%"
            note = f"{words.number(health.succeeded)} of {words.number(health.received)}"
            target = words.percent(WEBHOOK_TARGET)
            on_target = health.is_on_target
            figures.metric(
                f"{name} webhooks",
                value,
                note if on_target else f"{note} · below {target}",
                "gray" if on_target else "red",
                f"Calls of {name} in the last 30 days that had their effect. The goal is {target}.",
            )


def _euros(amount: Decimal | None) -> str:
    return "None yet" if amount is None else words.euros(round(amount, 2))


def _rate(share: Decimal | None, of: str) -> str:
    return "nothing to compare" if share is None else f"{words.percent(share)} {of}"


def _people(people: tuple[BuyerRevenue, ...]) -> None:
    columns = ("Person", "Email", "Purchases", "Credits", "Paid, EUR", "Kept, EUR")
    rows = [
        (
            one.full_name,
            one.email,
            one.purchases,
            one.credits,
            words.of_cents(one.gross_cents),
            words.of_cents(one.revenue_cents),
        )
        for one in people
    ]
    euros = st.column_config.NumberColumn(format="€%.2f")
    st.dataframe(
        pd.DataFrame([(*row[:4], float(row[4]), float(row[5])) for row in rows], columns=list(columns)),
        hide_index=True,
        height="content" if len(rows) <= 10 else 420,
        row_height=40,
        key="table-buyers",
        alt="Who bought credits, largest revenue first",
        column_config={"Paid, EUR": euros, "Kept, EUR": euros},
    )
    numbers.download(columns, rows, file="revenue-per-person")


def _alerts(person: Person) -> None:
    st.space("small")
    st.subheader("Alerts", anchor=False)
    found = alerts.current(person)
    if not found:
        st.markdown(":gray[None for this balance and this month.]")
        return
    now, tz = session.now(), session.tz()
    frame = pd.DataFrame(
        {
            "Raised": [words.exact(alert.raised_at, now, tz) for alert in found],
            "What": [words.escape(alert.sentence) for alert in found],
            "Posted": [
                words.escape(" · ".join(filter(None, (_DELIVERY[alert.delivery], alert.last_error or ""))))
                for alert in found
            ],
        }
    )
    st.table(frame, border="horizontal", hide_index=True, alt="Alerts of this balance and month, newest first")
