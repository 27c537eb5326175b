"""Keys that would reach further than the person means: `static/keys.js` stops them in the browser.

Streamlit listens for the shortcut of a button on the whole document, also while a dialog lies over that button: Ctrl
and Enter in a dialog would start a paid job behind it. And Escape closes a zoomed picture and the dialog beneath it at
once.
"""

import streamlit as st

_SCRIPT = '<script src="/app/static/keys.js"></script>'


def keep() -> None:
    with st.container(key="keys"):
        st.html(_SCRIPT, unsafe_allow_javascript=True)
