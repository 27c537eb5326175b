"""The fields in which an admin tries keys out. What is typed stays in this visit's memory and nowhere else."""

from typing import Final

import streamlit as st

from core.connections import ACCEPTED, Drafted, Group
from ui import words

_LABELS: Final = {
    "FAL_KEY": ("Key for jobs", "id:secret", "FAL_KEY: scope API, from fal.ai/dashboard/keys"),
    "FAL_ADMIN_KEY": (
        "Admin key, if you like",
        "id:secret",
        "FAL_ADMIN_KEY: scope ADMIN, reads balance and exact costs",
    ),
    "PUBLIC_URL": (
        "Public address, if there is one",
        "https://studio.company.com",
        "PUBLIC_URL: where fal.ai and Stripe call",
    ),
    "SUPABASE_URL": ("Address of the project", "https://<ref>.supabase.co", "SUPABASE_URL"),
    "SUPABASE_PUBLISHABLE_KEY": ("Publishable key", "sb_publishable_…", "SUPABASE_PUBLISHABLE_KEY"),
    "SUPABASE_SECRET_KEY": ("Secret key", "sb_secret_…", "SUPABASE_SECRET_KEY"),
    "STRIPE_SECRET_KEY": (
        "Secret key",
        "sk_test_… or sk_live_…",
        "STRIPE_SECRET_KEY, from dashboard.stripe.com/apikeys",
    ),
    "STRIPE_WEBHOOK_SECRET": (
        "Signing secret of the webhook",
        "whsec_…",
        "STRIPE_WEBHOOK_SECRET, from the endpoint's page",
    ),
    "STRIPE_PRICE_CREDITS_100": ("Price of 100 credits", "price_…", "STRIPE_PRICE_CREDITS_100"),
    "STRIPE_PRICE_CREDITS_500": ("Price of 500 credits", "price_…", "STRIPE_PRICE_CREDITS_500"),
    "STRIPE_PRICE_CREDITS_1000": ("Price of 1,000 credits", "price_…", "STRIPE_PRICE_CREDITS_1000"),
    "ADMIN_EMAILS": ("Admins, separated by commas", "you@company.com", "ADMIN_EMAILS"),
}
_OPEN: Final = ("PUBLIC_URL", "SUPABASE_URL", "ADMIN_EMAILS", *(name for name in _LABELS if "PRICE" in name))


def draw(group: Group, drafted: Drafted) -> None:
    label = "Try an address" if group == "This studio" else "Try keys"
    is_open = any(name in drafted.tried or name in drafted.problems for name in ACCEPTED[group])
    with st.expander(label, type="compact", expanded=is_open), st.form(f"connection-form-{group}", border=False):
        for name in ACCEPTED[group]:
            label, shape, help_ = _LABELS[name]
            st.text_input(
                label,
                key=_key(name),
                type="default" if name in _OPEN else "password",
                placeholder=shape,
                help=words.escape(help_),
                autocomplete="off" if name in _OPEN else "new-password",
                max_chars=500,
            )
            if problem := drafted.problems.get(name):
                st.markdown(f":small[:red[{words.escape(problem)}]]")
        st.form_submit_button(f"Check {group}" if group != "This studio" else "Check this")
    if drafted.tried & set(ACCEPTED[group]):
        st.markdown(":small[:gray[What is said above is about what you try out. Nothing runs on it yet.]]")


def typed() -> dict[str, str]:
    """What stands in the fields, by setting. Streamlit forgets it when the section is left."""
    return {name: st.session_state.get(_key(name)) or "" for names in ACCEPTED.values() for name in names}


def _key(name: str) -> str:
    return f"connection-{name}"
