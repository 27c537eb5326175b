"""The last step of going real: what is written where, and the one restart."""

from functools import partial
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import streamlit as st

from core import connections
from core import settings as configuration
from core.connections import Drafted, Ready, Report
from core.connections.finding import ending
from core.models import Person
from core.settings import get_settings
from ui import acting, connection_fields, words

_PLACE: Final = "connections"
_WRITTEN: Final = "connections-written"
_PLAIN: Final = ("PUBLIC_URL", "SUPABASE_URL", "ADMIN_EMAILS")


def draw(_person: Person, drafted: Drafted, report: Report) -> None:
    found = connections.ready(drafted, report)
    with st.container(border=True, key="connection-restart"):
        st.subheader("Then one restart", anchor=False)
        acting.outcome(_PLACE)
        if written := st.session_state.get(_WRITTEN):
            _written(written)
        elif not drafted.tried and not drafted.problems:
            _nothing_yet()
        else:
            _lines(drafted, found)


def _nothing_yet() -> None:
    if is_this_machine():
        st.markdown(
            ":gray[Keys that were tried above and work can be written to .env here. Until then nothing changes.]"
        )
    else:
        st.markdown(
            ":gray[Settings are not changed from here: what was tried above is listed here, to be set where the "
            "processes get their environment (docs/deploy.md).]"
        )


def _lines(drafted: Drafted, found: Ready) -> None:
    if found.names:
        st.code("\n".join(f"{name}={_shown(drafted, name)}" for name in found.names), language=None)
    for name, why in sorted(found.left_out.items()):
        st.markdown(f":small[:gray[Left out: {words.escape(name)}. {words.escape(why)}]]")
    if not found.names:
        return
    if is_this_machine():
        label = f"Write {words.count(len(found.names), 'setting')} to .env"
        if st.button(label, type="primary", key="connections-write"):
            _confirm(found.names)
    else:
        st.markdown(
            "Set these where the processes get their environment, `/etc/atelier.env` on a machine set up as in "
            "docs/deploy.md, then `systemctl restart atelier-companion atelier-pages`."
        )


@st.dialog("Write the settings")
def _confirm(names: tuple[str, ...]) -> None:
    listed = words.escape(", ".join(names))
    path = words.escape(str(configuration.ENV_FILE))
    st.markdown(
        f"**{listed}** go into {path}, which only you can read. What stood there under these names is replaced."
    )
    if "SUPABASE_URL" in names:
        st.markdown(
            "The project of your own begins empty: the people, jobs and credits of this machine stay in the folder "
            "`.local` and come back when SUPABASE_URL is taken out again."
        )
    if "FAL_KEY" in names:
        st.markdown("From the restart on, every job costs real money at fal.ai.")
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button(
            "Write to .env",
            type="primary",
            on_click=acting.attempt,
            args=(_PLACE, partial(_write, names)),
            key="connections-write-now",
        )


def _write(names: tuple[str, ...], person: Person) -> str:
    connections.write(person, connection_fields.typed(), names)
    st.session_state[_WRITTEN] = names
    return f"{words.count(len(names), 'setting')} written."


def _written(names: tuple[str, ...]) -> None:
    st.success(
        f"**{words.count(len(names), 'setting')} written to .env.** Now start again: press Ctrl-C where `make run` "
        "runs, then `make run`. Until then everything goes on as before.",
        icon=":material/check:",
    )


def _shown(drafted: Drafted, name: str) -> str:
    """Addresses as they are, of anything secret the last four characters."""
    value = getattr(drafted.settings, name.lower())
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value) if name in _PLAIN or "PRICE" in name else ending(str(value))


def is_this_machine() -> bool:
    """Whether whoever looks sits at the machine that this runs on, and it is no production."""
    if get_settings().is_production:
        return False
    host, address = urlsplit(st.context.url or "").hostname or "localhost", st.context.ip_address
    return _is_loopback(host) and (address is None or _is_loopback(address))


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
