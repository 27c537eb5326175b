"""Running a fragment again while somebody looks, and no more often than that needs.

`st.fragment(run_every=…)` is a timer of the browser that goes on in a tab nobody sees, all night. Here
`static/pulse.js` looks first: a hidden page asks nothing, and asks at once when it is seen again; a page in front of
which nobody has moved for a while asks once a minute, unless something is waited for there. It presses a button that
nobody sees: that runs the fragment.
"""

from time import time

import streamlit as st

IDLE_AFTER_SECONDS = 300
IDLE_SECONDS = 60
_SCRIPT = '<script src="/app/static/pulse.js"></script>'


def every(seconds: int, name: str, *, idle_seconds: int = IDLE_SECONDS) -> None:
    """Inside a fragment: have it run again so many seconds after it was last drawn, by whatever; after `idle_seconds`
    while nobody moves."""
    with st.container(key=f"pulse-{name}"):
        st.html(
            f'<i data-pulse="{name}" data-every="{seconds}" data-idle-every="{idle_seconds}" '
            f'data-idle-after="{IDLE_AFTER_SECONDS}" data-drawn="{time()}"></i>'
        )
        st.html(_SCRIPT, unsafe_allow_javascript=True)
        st.button("Refresh", key=f"pulse-{name}-button")
