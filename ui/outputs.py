"""What a job has made, on screen: pictures to zoom, players, a model to turn, a transcript to follow."""

from html import escape

import streamlit as st

from core.models import Job, Output
from ui import describe, model_viewer, transcript

MODEL_HEIGHT = 420


def draw(job: Job, output: Output) -> None:
    """One file. Nothing is drawn while there is no address that a browser can load."""
    if not describe.is_web(output.url):
        return
    alt, url = describe.picture_alt(job, output), output.url or ""
    if output.media_type.startswith("image/"):
        st.html(_picture(output, escape(url), escape(alt)))
    elif output.media_type.startswith("video/"):
        st.video(url, format=output.media_type, alt=alt)
    elif output.media_type.startswith("audio/"):
        st.audio(url, format=output.media_type, alt=alt)
    elif output.media_type.startswith("model/"):
        model_viewer.draw(output, alt, height=MODEL_HEIGHT)


def draw_all(job: Job, position: int | None = None) -> None:
    """Everything a job has made, or the one output at a place; the text of a transcript."""
    if transcript.text_of(job):
        transcript.draw(job)
        return
    shown = [made for made in job.outputs if position is None or made.position == position]
    if len(shown) > 1:
        grid = st.grid(2, min_column_width=200)
        for output in shown:
            with grid.cell():
                draw(job, output)
    elif shown:
        draw(job, shown[0])


def shown(job: Job) -> list[Output]:
    """What of a job a browser can load."""
    return [output for output in job.outputs if describe.is_web(output.url)]


def pick(job: Job, *, key: str) -> Output | None:
    """One result of a job, asked for when it made several; None when there is nothing to load."""
    made = {output.position: output for output in shown(job)}
    if len(made) < 2:
        return next(iter(made.values()), None)
    places = list(made)
    picked = st.segmented_control(
        "Which one",
        places,
        default=places[0],
        format_func=lambda place: f"{describe.kind(job)} {place + 1}",
        required=True,
        key=key,
        label_visibility="collapsed",
    )
    return made[places[0] if picked is None else picked]


def _picture(output: Output, url: str, alt: str) -> str:
    """A picture to zoom: a click lays it over everything as large as it fits, a second one shows it closer.

    A popover of the browser itself, as Streamlit has no zoom inside a dialog; the values are escaped already.
    """
    name = f"zoom-{output.id}"
    large = f'<img src="{url}" alt="{alt}" loading="lazy">'
    return (
        f'<button type="button" class="zoom" popovertarget="{name}" aria-label="Zoom: {alt}">'
        f'<img src="{url}" alt="{alt}"></button>'
        f'<div popover id="{name}" class="zoomed" role="dialog" aria-label="{alt}">'
        f'<label><input type="checkbox" aria-label="Closer">{large}</label>'
        f'<button type="button" popovertarget="{name}" popovertargetaction="hide" aria-label="Zoom out"></button></div>'
    )
