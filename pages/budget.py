"""Budget: what is left at fal.ai and when it runs out, what was spent and on what, limits and alerts."""

import streamlit as st

from core import budget
from ui import alert_banners, balance_view, drift_view, guard, spend_tables, spend_view

person = guard.require()

st.title("Budget", anchor=False)
overview = budget.overview(person)
balance_view.draw(person, overview)
alert_banners.history(person)
period, report = spend_view.draw(person, overview.today)
spend_tables.draw(person, overview, period, report)
if person.is_admin:
    drift_view.draw(person, period)
