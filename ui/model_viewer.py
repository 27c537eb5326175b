"""A 3D model that can be turned, in a frame: Google's <model-viewer>, served by ourselves."""

from html import escape
from uuid import UUID

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import inputs, media
from core.errors import AtelierError, NotFound, NotSignedIn
from core.models import Output, Person
from ui import describe, embedded

_SCRIPTS = ("model.js", "model-viewer.min.js")
_STYLE = """
html,body{height:100%;overflow:hidden}model-viewer{width:100%;height:100%;--poster-color:transparent;
background:light-dark(#EEE9DE,#232735);--progress-bar-color:light-dark(#2F43D0,#8393FF)}
"""
_VIEWER = (
    '<model-viewer src="{src}" alt="{alt}" camera-controls touch-action="pan-y" auto-rotate auto-rotate-delay="0" '
    'interaction-prompt="none" shadow-intensity="0.6" environment-image="neutral"></model-viewer>'
    '<p class="note" hidden>This browser cannot show the model. Download it instead.</p>'
)


def draw(output: Output, alt: str, *, height: int = 420) -> None:
    """The model of an output, turnable with mouse, fingers and arrow keys; `height` in pixels."""
    st.iframe(f"/view/model/{output.id}", height=height, alt=alt)


async def show(request: Request) -> Response:
    """GET /view/model/<output id>: the page in the frame."""
    try:
        person = await embedded.person_of(request)
        url = await run_in_threadpool(_address, person, request.path_params["output_id"])
    except NotSignedIn as error:
        return embedded.refusal(error, 403)
    except AtelierError as error:
        return embedded.refusal(error)
    body = _VIEWER.format(src=escape(url), alt="A 3D model. Turn it with the arrow keys.")
    return embedded.page("3D model", body, _STYLE, _SCRIPTS, url)


def _address(person: Person, output_id: UUID) -> str:
    row = inputs.output_row(person, output_id)
    url = media.viewable([row])[row["id"]].url
    if url is None or not describe.is_web(url) or not row["media_type"].startswith("model/"):
        raise NotFound("There is no such 3D model.")
    return url


ROUTE = Route("/view/model/{output_id:uuid}", show, methods=["GET"])
