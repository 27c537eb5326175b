"""What a job has made, on screen: pictures to zoom, players, a model to turn, a transcript to follow."""

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
        st.image(url, width="stretch", alt=alt)
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
