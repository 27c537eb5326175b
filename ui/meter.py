"""What is left of a balance: the bar, its tone, and the sentence below it."""

from decimal import Decimal
from html import escape

import streamlit as st

from core.budget import Scope
from core.models import Budget
from ui import words

LOW, HALF = Decimal("0.25"), Decimal("0.5")


def draw(budget: Budget, scope: Scope = "team") -> None:
    """The bar with its marks at 25% and 50%. Says the share to screen readers too."""
    share = budget.share
    if share is None:
        return
    left = words.percent(share)
    low = "25% · alert" if scope == "team" else "25%"
    what = "balance" if scope == "team" else "allowance"
    st.html(
        f'<div class="meter {budget.tone}" role="img" aria-label="{left} of the {what} is left">'
        f'<i style="width:{escape(left)}"></i>'
        f'<b style="left:25%"></b><span style="left:25%">{low}</span>'
        '<b style="left:50%"></b><span style="left:50%">50%</span></div>'
    )


def sentence(budget: Budget, scope: Scope = "team") -> str:
    """Markdown: **42% left.** An alert goes to admins below $12.50."""
    if budget.share is None or budget.amount is None:
        return "No balance has been entered. What was spent this month is shown instead."
    left = f"**{words.percent(budget.share)} left.**"
    if scope == "person":
        return f"{left} Your own allowance is a guide: nothing stops when it is used up."
    alert = words.escape(words.usd(budget.amount * LOW, 2))
    if budget.tone == "out":
        return f"{left} Below {alert}: admins have been alerted. Add money at fal.ai."
    return f"{left} An alert goes to admins below {alert}."
