"""The ASGI entry: `streamlit run streamlit_app.py` serves the pages and our own routes from one port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from core.log import configure
from core.settings import settings_or_exit
from ui import archives, model_viewer, single_sign_on, transcript
from ui.first_paint import FirstPaint
from ui.guard import crashed
from ui.routes import ROUTES
from ui.sockets import send_at_once
from ui.uploads import UploadsByPeople
from ui.web import SecurityHeaders

settings = settings_or_exit()


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """From here on whatever is logged is one JSON line without a secret, Streamlit's own lines too."""
    configure(secrets=settings.secrets)
    send_at_once()  # the socket is bound by now
    yield


app = st.App(
    Path(__file__).resolve().parent / "ui" / "main.py",
    routes=(*ROUTES, *single_sign_on.routes(settings), *archives.ROUTES, model_viewer.ROUTE, transcript.ROUTE),
    middleware=[Middleware(SecurityHeaders), Middleware(FirstPaint), Middleware(UploadsByPeople)],
    on_script_error=crashed,
    lifespan=lifespan,
)
