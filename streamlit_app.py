"""The ASGI entry: `streamlit run streamlit_app.py` serves the pages and our own routes from one port."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from ui import archives, model_viewer, transcript
from ui.guard import crashed
from ui.routes import ROUTES
from ui.web import SecurityHeaders

app = st.App(
    Path(__file__).resolve().parent / "ui" / "main.py",
    routes=(*ROUTES, *archives.ROUTES, model_viewer.ROUTE, transcript.ROUTE),
    middleware=[Middleware(SecurityHeaders)],
    on_script_error=crashed,
)
