"""A transcript: the words beside their recording, lit while it plays, and the text and subtitles to take away."""

from collections.abc import Iterable
from html import escape
from itertools import groupby

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import jobs, subtitles
from core.errors import AtelierError, NotFound, NotSignedIn
from core.models import Job
from core.zips import slug
from ui import describe, embedded

_LINE, _LINE_HEIGHT = 40, 26  # characters at least, pixels
_PLAYER, _TALLEST = 70, 360  # pixels
_STYLE = """
body{display:flex;flex-direction:column;height:100vh}audio{width:100%;flex:none}
main{flex:1;overflow:auto;padding:.75rem 0}p{margin:0 0 .75rem}
small{display:block;font-size:.875rem;color:light-dark(#5F5B54,#A9A79F)}
button{font:inherit;color:inherit;text-align:left;background:none;border:0;border-radius:.25rem;
padding:.0625rem 0;margin:0;cursor:pointer}button:hover{color:light-dark(#2A3CBD,#A9B4FF)}
button:focus-visible{outline:2px solid light-dark(#2F43D0,#8393FF)}.said{background:light-dark(#E5E6F5,#20264A)}
"""


def text_of(job: Job) -> str:
    """What was said, and by whom where several speak; empty for a job that is no transcript."""
    return subtitles.text_of(job.result_data)


def draw(job: Job) -> None:
    """The words, with the recording when their times are known."""
    if subtitles.cues_of(job.result_data) and embedded.may_show(_recording(job)):
        text = text_of(job)
        lines = 2 + text.count("\n") + len(text) // _LINE
        height = min(_TALLEST, _PLAYER + lines * _LINE_HEIGHT)
        st.iframe(f"/view/transcript/{job.id}", height=height, alt="The transcript, lit while the recording plays")
    else:
        st.text(text_of(job))


def downloads(job: Job, *, key: str) -> None:
    """Text, SRT and VTT, as far as there are times."""
    text, cues = text_of(job), subtitles.grouped(subtitles.cues_of(job.result_data))
    files = {"Text": (f"{text}\n", "txt", "text/plain")}
    if cues:
        files["SRT"] = (subtitles.to_srt(cues), "srt", "application/x-subrip")
        files["VTT"] = (subtitles.to_vtt(cues), "vtt", "text/vtt")
    name = slug(str((job.result_data or {}).get("text") or ""))
    for label, (data, ending, mime) in files.items():
        st.download_button(
            label,
            data,
            file_name=f"{name}.{ending}",
            mime=mime,
            icon=":material/download:",
            on_click="ignore",
            key=f"{key}-{ending}-{job.id}",
        )


async def show(request: Request) -> Response:
    """GET /view/transcript/<job id>: the page in the frame."""
    try:
        person = await embedded.person_of(request)
        job = await run_in_threadpool(jobs.get, person, request.path_params["job_id"])
        recording = _recording(job)
        if not describe.is_web(recording):
            raise NotFound("The recording is not there any more.")
    except NotSignedIn as error:
        return embedded.refusal(error, 403)
    except AtelierError as error:
        return embedded.refusal(error)
    said = "".join(_turn(*turn) for turn in groupby(subtitles.cues_of(job.result_data), key=lambda cue: cue.speaker))
    body = f'<audio controls preload="metadata" src="{escape(recording)}"></audio><main>{said}</main>'
    return embedded.page("Transcript", body, _STYLE, ("transcript.js",), recording)


def _turn(speaker: str, cues: Iterable[subtitles.Cue]) -> str:
    """What one person says before the next one does: a paragraph of words to click on."""
    words = " ".join(
        f'<button type="button" data-from="{cue.start}" data-to="{cue.end}">{escape(cue.text)}</button>' for cue in cues
    )
    return f"<p>{f'<small>{escape(speaker)}</small>' if speaker else ''}{words}</p>"


def _recording(job: Job) -> str:
    return str(job.input_params.get("audio_url") or "")


ROUTE = Route("/view/transcript/{job_id:uuid}", show, methods=["GET"])
