"""The versions of a step: look at one, set it beside the current one, make it current, go back."""

from functools import partial

import streamlit as st

from core import campaigns, media
from core.campaigns import Campaign, Clip, Step, Version
from core.filetypes import EXTENSIONS
from core.models import Output, Person
from ui import campaign_words, describe, guard, outputs, reuse, session, shell, transcript, words

_PAGE = 24
_SHOWN = "versions-{}-{}"  # how many of a step are on offer


def draw(person: Person, campaign: Campaign, clip: Clip, step: Step) -> None:
    """The chosen version, the current one to begin with, and what can be done with it."""
    if clip.step(step).current is None and not clip.step(step).versions:
        st.markdown(":gray[Nothing has been made here yet.]")
        return
    limit = int(st.session_state.get(_SHOWN.format(clip.id, step), _PAGE))
    versions = {version.number: version for version in campaigns.list_versions(person, clip.id, step, limit=limit)}
    current = clip.step(step).current
    chosen = _choose(versions, current, clip, step)
    side_by_side = current is not None and chosen.id != current.id and _compares(clip, step)
    if side_by_side and current is not None:
        left, right = st.columns(2, gap="small")
        with left:
            _show(chosen)
        with right:
            _show(versions.get(current.number, current))
    else:
        _show(chosen)
    _actions(person, campaign, chosen)
    st.table(_facts(chosen), border="horizontal", alt="Facts about this version")


def _choose(versions: dict[int, Version], current: Version | None, clip: Clip, step: Step) -> Version:
    if len(versions) == 1:
        return next(iter(versions.values()))
    key = f"version-{clip.id}-{step}"
    usual = current.number if current and current.number in versions else next(iter(versions))
    if st.session_state.get(key) not in versions:
        st.session_state[key] = usual
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        picked = st.pills(
            "Version",
            list(versions),
            format_func=lambda number: f"v{number} · current" if versions[number].is_current else f"v{number}",
            required=True,
            key=key,
            label_visibility="collapsed",
        )
        if min(versions) > 1:  # they count from 1 without gaps
            shown = _SHOWN.format(clip.id, step)
            st.button("Older", type="tertiary", on_click=_show_older, args=(shown, len(versions)), key=f"{shown}-more")
    return versions[int(picked or usual)]


def _show_older(key: str, shown: int) -> None:
    st.session_state[key] = shown + _PAGE


def _compares(clip: Clip, step: Step) -> bool:
    return st.toggle("Beside the current one", key=f"beside-{clip.id}-{step}")


def _show(version: Version) -> None:
    st.markdown(f":small[:gray[{words.escape(campaign_words.version(version))}]]")
    if version.job is None:
        st.markdown(":gray[Only its maker can see this one.]")
        return
    with st.container(key=f"version-media-{version.id}"):
        outputs.draw_all(version.job)


def _actions(person: Person, campaign: Campaign, version: Version) -> None:
    job = version.job
    if job is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="version-actions"):
        if campaign.may_change and campaign.archived_at is None:
            _make_current(person, version)
        if version.output is not None:
            _download(version, version.output)
        if transcript.text_of(job):
            transcript.downloads(job, key="version")
        reuse.again(job)
        reuse.as_input(job)
        if st.button("Open job", type="tertiary", key=f"job-{version.id}"):
            st.switch_page(shell.PAGES / "jobs.py", query_params={"job": str(job.id)})


def _make_current(person: Person, version: Version) -> None:
    """One button; a picture of several is chosen by its number."""
    if not version.is_current and st.button("Make current", key=f"current-{version.id}"):
        _change(person, version, None)
    made = version.job.outputs if version.job else ()
    if version.is_current and len(made) > 1:
        places = [output.position for output in made]
        key = f"picture-{version.id}-{version.output_position}"
        picked = st.segmented_control(
            "Which picture",
            places,
            default=version.output_position,
            format_func=lambda place: f"Picture {place + 1}",
            required=True,
            key=key,
            label_visibility="collapsed",
        )
        if picked is not None and picked != version.output_position:
            _change(person, version, picked)


def _change(person: Person, version: Version, place: int | None) -> None:
    with guard.told():
        campaigns.make_current(person, version.id, output_position=place)
        st.toast(f"Version {version.number} is the current one.")
        st.rerun()


def _download(version: Version, output: Output) -> None:
    st.download_button(
        "Download",
        partial(_bytes_of, output),
        file_name=f"{version.step}-v{version.number}.{EXTENSIONS.get(output.media_type, 'bin')}",
        mime=output.media_type,
        icon=":material/download:",
        on_click="ignore",
        key=f"download-version-{version.id}",
    )


def _bytes_of(output: Output) -> bytes:
    return media.download(output)[0]


def _facts(version: Version) -> dict[str, str]:
    """Label → words, escaped for the table's markdown."""
    job = version.job
    facts = {
        "Made": words.exact(version.created_at, session.now(), session.tz()),
        "Type": describe.model(job) if job else None,
        "Prompt": job.prompt if job else None,
        "Seed": str(version.seed) if version.seed is not None else None,
        "Charged": describe.charged(job) if job else None,
        "Cost": describe.cost(job) if job else None,
    }
    return {f":gray[{name}]": words.escape(value) for name, value in facts.items() if value}
