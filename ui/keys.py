"""Keys that would reach further than the person means, and where the keyboard goes: `static/keys.js`, in the browser.

Streamlit listens for the shortcut of a button on the whole document, also while a dialog lies over that button: Ctrl
and Enter in a dialog would start a paid job behind it. And Escape closes a zoomed picture and the dialog beneath it at
once. Who has the form filled, from a card far below it or from a dialog, would not see it: the page goes to the prompt.
"""

import streamlit as st

from ui import filling

_SCRIPT = '<script src="/app/static/keys.js"></script>'


def keep() -> None:
    with st.container(key="keys"):
        filled = int(st.session_state.get(filling.FILLED, 0))
        st.html(f'<i data-filled="{filled}"></i>')
        st.html(_SCRIPT, unsafe_allow_javascript=True)
