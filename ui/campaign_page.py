"""One campaign: its brief, what is being made, its clips, and everything that can be done with it."""

from uuid import UUID

import streamlit as st

from core import campaigns
from core.campaigns import Campaign, Clip
from core.errors import AtelierError, NotFound
from core.models import Person
from ui import (
    archives,
    campaign_address,
    campaign_clip,
    campaign_grid,
    campaign_list,
    campaign_live,
    campaign_run,
    campaign_step,
    campaign_words,
    cards,
    guard,
    words,
)

_SHORT_BRIEF = 400  # characters; a longer one is folded
_SHARED = "campaign-shared-{}"
_MENU = {"details": "Name and brief", "deleted": "Deleted clips", "archive": "Archive"}


def draw(person: Person, campaign_id: UUID) -> None:
    try:
        seen = campaign_live.look(person, campaign_id)
    except NotFound:
        campaign_address.close()
        campaign_list.say_missing()
        st.rerun()
    campaign, clips = seen.campaign, seen.clips
    _head(person, campaign, clips)
    campaign_live.draw(seen)
    if clips:
        campaign_grid.draw(person, campaign, clips)
        if _changes(campaign):
            st.button("Add a clip", icon=":material/add:", key="clip-new", on_click=_open_new_clip)
    elif _changes(campaign):
        sentence = "Each clip has a script and goes from first frame to video, voice, ambience and transcript."
        cards.empty("No clip yet", sentence, "Add the first clip", _open_new_clip, key="clips")
    else:
        st.markdown(":gray[No clip yet.]")
    _open_from_address(campaign, clips)


def _changes(campaign: Campaign) -> bool:
    return campaign.may_change and campaign.archived_at is None


def _head(person: Person, campaign: Campaign, clips: tuple[Clip, ...]) -> None:
    with st.container(gap=None):
        st.button(
            "Campaigns", type="tertiary", icon=":material/arrow_back:", on_click=campaign_address.close, key="back"
        )
        st.title(words.escape(campaign.name), anchor=False)
    mine = campaign.owner_id == person.user_id
    about = f"{campaign_words.whose(campaign, mine)} · {campaign_words.facts(campaign)}"
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f":small[:gray[{words.escape(about)}]]", width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center", key="campaign-actions"):
            _actions(person, campaign, clips)
    if campaign.archived_at is not None:
        _archived(person, campaign)
    if len(campaign.brief) > _SHORT_BRIEF:
        with st.expander("Brief", key=f"brief-{campaign.id}"):
            st.text(campaign.brief)
    elif campaign.brief:
        st.text(campaign.brief)


def _actions(person: Person, campaign: Campaign, clips: tuple[Clip, ...]) -> None:
    if _changes(campaign):
        _sharing(campaign)
        picked = st.menu_button(
            "More", list(_MENU), format_func=_MENU.__getitem__, type="tertiary", key="campaign-more"
        )
        if picked == "archive":
            _set_archived(person, campaign, True)
        elif picked is not None:
            campaign_address.open_dialog("details" if picked == "details" else "deleted")
            st.rerun()
    if campaign.made_steps:
        archives.button("Export", archives.of_campaign(campaign.id))
    if _changes(campaign) and any(state.recipe for clip in clips for state in clip.steps):
        st.button("Generate clips", type="primary", key="campaign-generate", on_click=_open_generate)


def _open_new_clip() -> None:
    campaign_address.open_dialog("clip")


def _open_generate() -> None:
    campaign_address.open_dialog("generate")


def _sharing(campaign: Campaign) -> None:
    key = _SHARED.format(campaign.id)
    st.session_state.setdefault(key, campaign.visibility == "team")
    st.toggle("Shared with the team", key=key, on_change=_share, args=(campaign,), help="Others may look, not change.")


def _share(campaign: Campaign) -> None:
    shared = bool(st.session_state[_SHARED.format(campaign.id)])
    try:
        campaigns.edit_campaign(guard.require(), campaign.id, visibility="team" if shared else "private")
        st.toast("The team can see it now." if shared else "It is private now.")
    except AtelierError as error:
        st.session_state[_SHARED.format(campaign.id)] = campaign.visibility == "team"
        st.toast(words.escape(error.sentence))


def _archived(person: Person, campaign: Campaign) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(":gray[This campaign is put away.]", width="content")
        if campaign.may_change and st.button("Bring it back", key="campaign-back"):
            _set_archived(person, campaign, False)


def _set_archived(person: Person, campaign: Campaign, archived: bool) -> None:
    with guard.told():
        campaigns.edit_campaign(person, campaign.id, archived=archived)
        st.toast("It is in the archive now." if archived else "It is back.")
        st.rerun()


@st.dialog("Name and brief", on_dismiss=campaign_address.close_dialog)
def _edit(campaign: Campaign) -> None:
    name = st.text_input("Name", campaign.name, max_chars=120, key="campaign-name")
    brief = st.text_area("Brief", campaign.brief, max_chars=20_000, height=240, key="campaign-brief")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Save campaign", type="primary", key="campaign-save"):
            with guard.told():
                campaigns.edit_campaign(
                    guard.require(), campaign.id, name=(name or "").strip(), brief=(brief or "").strip()
                )
                campaign_address.close_dialog()
                st.rerun()


@st.dialog("Deleted clips", on_dismiss=campaign_address.close_dialog)
def _deleted(campaign: Campaign) -> None:
    person = guard.require()
    found = campaigns.list_clips(person, campaign.id, deleted=True)
    if not found:
        st.markdown(":gray[No clip was deleted.]")
    for clip in found:
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(words.escape(clip.title or words.headline(clip.script) or "A clip without a title"))
            if st.button("Bring back", key=f"restore-{clip.id}"):
                with guard.told():
                    campaigns.restore_clip(person, clip.id)
                    st.rerun()


def _open_from_address(campaign: Campaign, clips: tuple[Clip, ...]) -> None:
    """The dialog that the address names, for those who may change something; a step is for everybody."""
    wanted = campaign_address.clip()
    if wanted is not None:
        _open_clip(campaign, clips, wanted)
    elif _changes(campaign):
        match campaign_address.dialog():
            case "clip":
                campaign_clip.add(campaign, clips)
            case "generate":
                campaign_run.confirm(campaign, clips)
            case "details":
                _edit(campaign)
            case "deleted":
                _deleted(campaign)


def _open_clip(campaign: Campaign, clips: tuple[Clip, ...], wanted: UUID) -> None:
    clip = next((known for known in clips if known.id == wanted), None)
    step = campaign_address.step()
    if clip is None:
        campaign_address.close_dialog()
        st.toast("There is no such clip any more.")
    elif step is not None:
        campaign_step.open_dialog(campaign, clip, step)
    elif _changes(campaign):
        campaign_clip.open_dialog(clip)
