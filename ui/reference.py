"""The files that go into a job: uploads, a recording, or something that was made earlier."""

from dataclasses import replace
from decimal import Decimal
from html import escape
from typing import cast

import streamlit as st

from core import jobs
from core.catalog import Field
from core.decoding import Moment
from core.models import JobFilter, Person
from ui import describe, filling, form, sources, words
from ui.sources import Family, Source

_TYPES: dict[Family, list[str]] = {
    "image": ["png", "jpg", "jpeg", "webp"],
    "audio": ["wav", "mp3", "ogg", "flac", "m4a", "mp4", "webm"],
}
_MEGABYTES: dict[Family, int] = {"image": 20, "audio": 50}
_MADE_FROM: dict[Family, tuple[str, ...]] = {"image": ("image", "video"), "audio": ("voice", "video")}
_EARLIER = 24
_SAMPLE_RATE = 44_100
_LONGEST = Decimal(600)  # seconds into a video of which nobody knows how long it is
_FRAME = '<video class="frame" src="{}#t={}" aria-label="{}" preload="auto" muted playsinline></video>'
_FRAMES = {"first": "First frame", "last": "Last frame", "at": "At a moment"}


def draw(person: Person, field: Field, *, inline: bool, scope: str = form.GENERATE, empty: str = "") -> list[Source]:
    """The uploader of one field, in place or behind a button; returns what is chosen.

    `empty` is what the button says while nothing is chosen.
    """
    if inline:
        return _panel(person, field, scope, look=True)
    label, key = words.escape(_label(field, scope, empty)), f"{scope}-reference-{field.name}"
    icon = ":material/mic:" if field.kind == "audio" else ":material/attach_file:"
    panel = st.popover(label, type="tertiary", icon=icon, key=key, on_change="rerun")
    with panel:
        return _panel(person, field, scope, look=bool(panel.open))


def start_with(field: Field, value: object, scope: str) -> None:
    """What the field of a form begins with; what was chosen there since stays."""
    st.session_state.setdefault(form.chosen_key(field.name, scope), filling.as_sources(field, value))


def _label(field: Field, scope: str, empty: str) -> str:
    """What is chosen, else what to add."""
    uploads = st.session_state.get(_upload_key(field, scope)) or []
    names = [file.name for file in (uploads if isinstance(uploads, list) else [uploads])]
    if field.kind == "audio" and st.session_state.get(_microphone_key(field, scope)):
        names.append("Recording")
    names += [source.title for source in _chosen(field, scope)]
    if names:
        return words.headline(names[0], 32) if len(names) == 1 else words.count(len(names), "file")
    if empty:
        return empty
    name = field.label[0].lower() + field.label[1:]
    article = "" if field.kind == "images" else "an " if name[0] in "aeiou" else "a "
    return f"Add {article}{name}"


def _upload_key(field: Field, scope: str) -> str:
    return f"{scope}-upload-{field.name}"


def _microphone_key(field: Field, scope: str) -> str:
    return f"{scope}-microphone-{field.name}"


def _chosen(field: Field, scope: str) -> list[Source]:
    return st.session_state.get(form.chosen_key(field.name, scope)) or []


def _panel(person: Person, field: Field, scope: str, *, look: bool) -> list[Source]:
    """`look` says that the panel is on screen: what was made earlier is only looked up then."""
    many, family = field.kind == "images", sources.family_of(field)
    uploaded = st.file_uploader(
        field.label,
        _TYPES[family],
        accept_multiple_files=many,
        key=_upload_key(field, scope),
        max_upload_size=_MEGABYTES[family],
        on_change=_forget if not many else None,
        args=(field, scope),
        help=words.escape(field.help) or None,
    )
    files = uploaded if isinstance(uploaded, list) else [uploaded] if uploaded is not None else []
    found = [Source(family=family, title=file.name, data=file.getvalue()) for file in files]
    if family == "audio" and not found:
        found = _recorded(field, scope)
    chosen = _chosen(field, scope)
    if chosen and (many or not found):
        chosen = _show(field, scope, chosen)
    if look and (many or not (found or chosen)):
        _choose_earlier(person, field, scope)
    return found + chosen if many else (found or chosen)[:1]


def _recorded(field: Field, scope: str) -> list[Source]:
    spoken = st.audio_input(
        "Or record it now",
        sample_rate=_SAMPLE_RATE,
        key=_microphone_key(field, scope),
        on_change=_forget,
        args=(field, scope),
    )
    return [Source(family="audio", title="Recording", data=spoken.getvalue())] if spoken is not None else []


def _show(field: Field, scope: str, chosen: list[Source]) -> list[Source]:
    """What is chosen, with a picture where there is one; the frame of a video can be picked, and is shown."""
    shown = st.container(horizontal=True, vertical_alignment="bottom")
    frames = [source for source in chosen if source.is_frame]
    if frames:
        moment = _moment(field, scope, frames)
        chosen = [replace(source, moment=moment) if source.is_frame else source for source in chosen]
    with shown:
        for source in chosen:
            _draw(source)
        st.button("Take out", on_click=_forget, args=(field, scope), key=f"{scope}-take-out-{field.name}")
    return chosen


def _draw(source: Source) -> None:
    if not describe.is_web(source.preview):
        st.markdown(words.escape(source.title), width="content")
    elif source.is_frame:
        st.html(_FRAME.format(escape(source.preview), sources.shown_at(source), escape(source.title)), width="content")
    else:
        st.image(source.preview, width=120, alt=source.title)


def _moment(field: Field, scope: str, frames: list[Source]) -> Moment:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = f"{scope}-frame-{field.name}"
        st.session_state.setdefault(key, "last")
        which = st.selectbox("Frame", list(_FRAMES), format_func=_FRAMES.__getitem__, key=key, width=170)
        if which != "at":
            return cast("Moment", which)
        latest = float(min((source.seconds or _LONGEST for source in frames), default=_LONGEST))
        st.session_state[f"{key}-seconds"] = min(st.session_state.get(f"{key}-seconds", 0.0), latest)
        seconds = st.number_input("Seconds", 0.0, latest, step=0.1, format="%.1f", key=f"{key}-seconds", width=140)
    return Decimal(str(seconds)).quantize(Decimal("0.1"))


def _forget(field: Field, scope: str) -> None:
    st.session_state[form.chosen_key(field.name, scope)] = []


def _choose_earlier(person: Person, field: Field, scope: str) -> None:
    """A list of what was made lately; choosing adds it."""
    family = sources.family_of(field)
    made = JobFilter(media_kinds=_MADE_FROM[family], status="completed")
    page = jobs.list_finished(person, page_size=_EARLIER, matching=made)
    found = {
        str(output.id): sources.of_output(family, job, output)
        for job in page.jobs
        for output in job.outputs
        if sources.fits(family, output.media_type) and describe.is_web(output.source_url or output.url)
    }
    if not found:
        return
    key = f"{scope}-earlier-{field.name}"

    def add() -> None:
        picked = st.session_state.get(key)
        if picked in found:
            st.session_state[form.chosen_key(field.name, scope)] = [*_chosen(field, scope), found[picked]]
            st.session_state[key] = None

    st.selectbox(
        "Or something you made",
        list(found),
        index=None,
        format_func=lambda output: _offered(found[output]),
        placeholder="Choose",
        key=key,
        on_change=add,
    )


def _offered(source: Source) -> str:
    if not source.media_type.startswith("video/"):
        return source.title
    return f"{'Sound' if source.family == 'audio' else 'Frame'} of {source.title}"
