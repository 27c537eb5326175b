"""Many files as one ZIP: a link that looks like a button, and the routes behind it, which send while they read.

An archive is never whole in memory. What fails before the first byte is said in a sentence; later the download breaks
off, so that nobody takes a part for the whole.
"""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from urllib.parse import urlencode
from uuid import UUID

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from core import zips
from core.campaigns import export_campaign
from core.errors import AtelierError, InvalidInput, NotSignedIn
from core.models import Person
from ui import embedded, session

Make = Callable[[Person], tuple[str, Iterator[bytes]]]  # the file name and the pieces


def of_jobs(job_ids: Sequence[UUID]) -> str:
    """The address of a ZIP with the files of these jobs."""
    return f"/download/jobs?{urlencode([('id', str(job_id)) for job_id in job_ids])}"


def of_campaign(campaign_id: UUID) -> str:
    """The address of a ZIP with the current versions of a campaign and their manifest."""
    return f"/download/campaign/{campaign_id}"


def button(label: str, address: str) -> None:
    """Drawn like a secondary button; stays on the page."""
    st.html(f'<a class="take" href="{escape(address)}" download>{escape(label)}</a>', width="content")


async def jobs(request: Request) -> Response:
    """GET /download/jobs?id=…&id=…"""

    def make(person: Person) -> tuple[str, Iterator[bytes]]:
        try:
            wanted = [UUID(value) for value in request.query_params.getlist("id")]
        except ValueError as error:
            raise InvalidInput("This is not the address of a download.", field="id") from error
        return f"atelier-{session.now():%Y-%m-%d}.zip", zips.of_jobs(person, wanted)

    return await _send(request, make)


async def campaign(request: Request) -> Response:
    """GET /download/campaign/<id>"""

    def make(person: Person) -> tuple[str, Iterator[bytes]]:
        export = export_campaign(person, request.path_params["campaign_id"])
        return export.file_name, export.pieces

    return await _send(request, make)


async def _send(request: Request, make: Make) -> Response:
    try:
        person = await embedded.person_of(request)
        name, pieces = await run_in_threadpool(make, person)
    except NotSignedIn as error:
        return embedded.refusal(error, 403)
    except AtelierError as error:
        return embedded.refusal(error)
    # File names are ours and plain ASCII: see zips.slug.
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


ROUTES = (
    Route("/download/jobs", jobs, methods=["GET"]),
    Route("/download/campaign/{campaign_id:uuid}", campaign, methods=["GET"]),
)
