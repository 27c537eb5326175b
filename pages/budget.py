"""Budget: what is left at fal.ai and when it runs out, what was spent and on what, limits and alerts."""

import streamlit as st

from core import budget
from core.models import Person
from ui import alert_banners, balance_view, drift_view, guard, session, spend_tables, spend_view, words

person = guard.require()


def draw_alerts(person: Person) -> None:
    """What was raised for this balance and month and is not above the page already."""
    now, tz = session.now(), session.tz()
    for alert in alert_banners.history(alert_banners.current(person), person):
        raised = words.escape(words.exact(alert.raised_at, now, tz))
        st.markdown(f":small[:gray[{raised}:] {alert_banners.sentence(alert, person)}]")


st.title("Budget", anchor=False)
overview = budget.overview(person)
balance_view.draw(person, overview)
draw_alerts(person)
period, report = spend_view.draw(person, overview.today)
spend_tables.draw(person, overview, period, report)
if person.is_admin:
    drift_view.draw(person, period)
