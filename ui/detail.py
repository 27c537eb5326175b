"""The detail of one job in a dialog: what came out, what it cost, what happened when, what to do next."""

from functools import partial
from urllib.parse import urlsplit
from uuid import UUID

import streamlit as st

from core import jobs, media
from core.errors import NotFound
from core.filetypes import EXTENSIONS
from core.ids import new_id
from core.models import Job, Output, Person
from ui import (
    archives,
    campaign_address,
    cards,
    describe,
    favourites,
    guard,
    outputs,
    reuse,
    sentences,
    session,
    shell,
    story,
    transcript,
    words,
)

WIDTH = 1040


def open_from_address(person: Person) -> None:
    """Show the job that `?job=` names. Nothing happens without it; an unknown one is said so and forgotten."""
    wanted = st.query_params.get("job")
    if not wanted:
        return
    try:
        job = jobs.get(person, UUID(wanted))
    except (ValueError, NotFound):
        del st.query_params["job"]
        st.toast("There is no such job, or it is not yours.")
        return
    st.dialog(words.escape(describe.title(job)), width=WIDTH, on_dismiss=_forget)(_body)(job)


def _forget() -> None:
    st.query_params.pop("job", None)


def _body(job: Job) -> None:
    person = guard.require()
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _outputs(job)
        _actions(person, job)
        st.table(_facts(job), border="horizontal", alt="Facts about this job")
        _campaign(person, job)
    with right:
        _words_of(job)
        _story(person, job)


def _outputs(job: Job) -> None:
    if job.is_late:
        st.info("This arrived after its job had been closed. It is yours and costs you nothing.")
    elif (trouble := describe.trouble(job)) and not job.is_open:
        if job.status == "cancelled":  # as was wanted
            st.info(sentences.marked(trouble), icon=":material/info:")
        else:
            cards.problem(trouble)
    elif job.is_open:
        st.progress(describe.progress(job, session.now()))
        st.markdown(words.escape(describe.state(job, session.now())))
    with st.container(key="detail-media"):
        _files(job)


def _files(job: Job) -> None:
    outputs.draw_all(job)
    if job.status == "completed" and not job.result_data and not any(describe.is_web(o.url) for o in job.outputs):
        st.markdown(":gray[The files are being copied. They appear here in a moment.]")


def _actions(person: Person, job: Job) -> None:
    tries_again = False
    with st.container(horizontal=True, vertical_alignment="center", key="detail-actions"):
        _downloads(job)
        if job.is_open and job.user_id == person.user_id:
            _open_actions(job)
        if job.user_id == person.user_id:
            tries_again = _retry_actions(job)
        reuse.again(job)
        reuse.as_input(job)
        if job.user_id == person.user_id:
            favourites.in_detail(job)
        with st.popover("Copy link", type="tertiary"):
            st.code(_link(job), language=None)
    if tries_again:  # below the buttons: a refusal may bring the packs with it
        _try_again(person, job)


def _retry_actions(job: Job) -> bool:
    """One way on from a job that came to nothing: a new try, or the one there is already. True for a new try."""
    tries_again = False
    if job.retried_as is not None:
        if st.button("Open the next try"):
            _go_to(job.retried_as)
    elif job.status in ("failed", "cancelled") and not job.is_late:
        tries_again = st.button("Try again")
    if job.retried_from is not None and st.button("Open the try before", type="tertiary"):
        _go_to(job.retried_from)
    return tries_again


def _go_to(job_id: UUID) -> None:
    st.query_params["job"] = str(job_id)
    st.rerun()


def _try_again(person: Person, job: Job) -> None:
    """A new job with the same inputs, opened here. Its id is kept until it is made: a second click finds the same."""
    key = f"retry-{job.id}"
    job_id: UUID = st.session_state.setdefault(key, new_id())
    with guard.told():
        made = jobs.retry(person, job.id, new_id=job_id)
        del st.session_state[key]
        _go_to(made.id)


def _open_actions(job: Job) -> None:
    if job.is_unclear and st.button("Check again"):
        cards.check_again(job)
    if st.button("Cancel", disabled=job.cancel_requested_at is not None):
        cards.cancel(job)


def _downloads(job: Job) -> None:
    """One file as it is, several as a ZIP; a transcript as text and subtitles."""
    if len(job.outputs) > 1:
        archives.button("Download all", archives.of_jobs([job.id]))
    for number, output in enumerate(job.outputs, start=1):
        _download(job, output, number)
    if transcript.text_of(job):
        transcript.downloads(job, key="detail")


def _download(job: Job, output: Output, number: int) -> None:
    many = len(job.outputs) > 1
    st.download_button(
        f"{describe.kind(job)} {number}" if many else "Download",
        partial(_bytes_of, output),
        file_name=f"atelier-{str(job.id)[:8]}-{number}.{EXTENSIONS.get(output.media_type, 'bin')}",
        mime=output.media_type,
        type="tertiary" if many else "primary",
        icon=":material/download:",
        on_click="ignore",
        key=f"download-{output.id}",
    )


def _bytes_of(output: Output) -> bytes:
    return media.download(output)[0]


def _link(job: Job) -> str:
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}/jobs?job={job.id}"


def _facts(job: Job) -> dict[str, str]:
    """Label → words, escaped for the table's markdown."""
    seconds = describe.length(job)
    kind = f"{describe.kind(job)}, {words.duration(seconds)}" if seconds else describe.kind(job)
    size = next((f"{output.width} × {output.height}" for output in job.outputs if output.width and output.height), None)
    facts = {
        "Kind": f"{kind}, {size}" if size else kind,
        "Type": describe.model(job),
        "Settings": describe.settings(job),
        "Seed": describe.seed(job),
        "Charged": describe.charged(job),
        "Cost": describe.cost(job),
        "Time": describe.took(job),
        "Started": "By itself, as the try before it had failed" if job.is_automatic_retry else None,
    }
    return {f":gray[{name}]": words.escape(value) for name, value in facts.items() if value}


def _campaign(person: Person, job: Job) -> None:
    """The way to the clip that this job was made for."""
    name = jobs.campaign_names(person).get(job.campaign_id) if job.campaign_id else None
    if name is not None:
        st.page_link(
            shell.PAGES / "campaigns.py",
            label=f"Made for {words.escape(name)}",
            icon=":material/arrow_forward:",
            query_params=campaign_address.of_step(job),
        )


def _words_of(job: Job) -> None:
    if job.prompt:
        st.subheader("Prompt", anchor=False)
        st.text(job.prompt)


def _story(person: Person, job: Job) -> None:
    events = jobs.story(person, job.id)
    if not events:  # a result that somebody shares in a campaign: what happened to it stays with them
        return
    told = story.steps(job, events)
    st.subheader("Story", anchor=False)
    for number, step in enumerate(told, start=1):
        icon = ":material/error:" if step.is_trouble else ":material/check:"
        label = f"{words.escape(step.title)} :gray[· {words.clock(step.at, session.tz())}]"
        if number == len(told):  # a step without content ends the line
            label = f"{label} :gray[· {words.escape(step.note)}]" if step.note else label
            st.expander(label, icon=icon, type="step")
            break
        with st.expander(label, icon=icon, type="step", expanded=True):
            st.markdown(f":small[:gray[{words.escape(step.note)}]]" if step.note else "")
    if job.fal_request_id:
        with st.popover("Request id", type="tertiary"):
            st.code(job.fal_request_id, language=None)
