"""Budget: what is left at fal.ai and when it runs out, what was spent and on what, limits and alerts."""

import streamlit as st

from core import budget, together
from ui import alert_banners, balance_view, drift_view, guard, spend_tables, spend_view

person = guard.require()

st.title("Budget", anchor=False)
overview = budget.overview(person)
period = spend_view.chosen(overview.today)
reads = [*balance_view.reads(person, overview), *spend_view.reads(person, period), *spend_tables.reads(person, period)]
if person.is_admin:
    reads += drift_view.reads(person, period)
with together.reading(person, *reads):
    balance_view.draw(person, overview)
    alert_banners.history(person)
    period, report = spend_view.draw(person, overview.today)
    spend_tables.draw(person, overview, period, report)
    if person.is_admin:
        drift_view.draw(person, period)
