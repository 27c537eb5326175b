"""All campaigns that a person may see: cards, search, archive, a new one."""

from uuid import UUID, uuid4

import streamlit as st

from core import campaigns
from core.campaigns import COVER, Campaign
from core.models import Person
from ui import campaign_address, campaign_words, cards, guard, moments, session, tiles, words

_PAGE = 24
_SHOWN, _WHERE, _MINE, _TEXT = "campaigns-shown", "campaigns-where", "campaigns-mine", "campaigns-text"
_NEW_ID = "campaigns-new-id"
_MISSING = "campaigns-missing"
_PLACES = {"active": "Active", "archive": "Archive"}


def draw(person: Person) -> None:
    _page(person)
    if campaign_address.dialog() == "campaign":
        _create()


def say_missing() -> None:
    """The campaign that was asked for cannot be shown: the list says so, until the person does something there."""
    st.session_state[_MISSING] = True


def _page(person: Person) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="campaigns-head"
    ):
        st.title("Campaigns", anchor=False, width="content")
        new = st.empty()
    if st.session_state.pop(_MISSING, False):
        st.info("There is no such campaign, or it is not shared with you.", icon=":material/visibility_off:")
    archived, mine, text = _filters()
    shown = int(st.session_state.get(_SHOWN, _PAGE))
    page = campaigns.list_campaigns(person, archived=archived, mine=mine, text=text, limit=shown)
    if page.campaigns or archived or mine or text:  # else the empty page has the one button there is
        new.button("New campaign", key="campaigns-new", on_click=_open_new)
    if not page.campaigns:
        _nothing(archived, filtered=bool(mine or text))
        return
    with st.grid(3, min_column_width=280, border=True, gap=(20, 20)) as grid:
        for campaign in page.campaigns:
            with grid.cell():
                _card(person, campaign)
    if page.next_cursor and st.button("Show more", key="campaigns-more"):
        st.session_state[_SHOWN] = shown + _PAGE
        st.rerun()


def _filters() -> tuple[bool, bool, str]:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        where = st.segmented_control(
            "Where",
            list(_PLACES),
            format_func=_PLACES.__getitem__,
            default=None if _WHERE in st.session_state else "active",
            required=True,
            key=_WHERE,
            label_visibility="collapsed",
            on_change=_from_the_top,
        )
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            mine = st.toggle("Only mine", key=_MINE, on_change=_from_the_top)
            text = st.text_input(
                "Search campaigns",
                key=_TEXT,
                placeholder="Search campaigns",
                label_visibility="collapsed",
                icon=":material/search:",
                on_change=_from_the_top,
                width=210,
            )
    return where == "archive", mine, (text or "").strip()


def _from_the_top() -> None:
    st.session_state[_SHOWN] = _PAGE


def _nothing(archived: bool, *, filtered: bool) -> None:
    if archived or filtered:
        st.markdown(":gray[No campaign like that.]" if filtered else ":gray[Nothing is put away.]")
        return
    sentence = "A campaign holds clips, and each clip goes from first frame to video, voice, ambience and transcript."
    cards.empty("No campaign yet", sentence, "Start a campaign", _open_new, key="campaigns")


def _open_new() -> None:
    campaign_address.open_dialog("campaign")


def _card(person: Person, campaign: Campaign) -> None:
    now, tz = session.now(), session.tz()
    with st.container(key=f"card-{campaign.id}", gap=8):
        st.html(_cover(campaign))
        st.button(
            words.escape(campaign.name),
            key=f"open-campaign-{campaign.id}",
            type="tertiary",
            wrap=True,
            on_click=campaign_address.open_campaign,
            args=(campaign.id,),
        )
        mine = campaign.owner_id == person.user_id
        about = f"{campaign_words.whose(campaign, mine)} · {words.ago(campaign.created_at, now, tz)}"
        moments.line(about, campaign.created_at)
        st.progress(campaign.made_steps / campaign.wanted_steps if campaign.wanted_steps else 0.0)
        going = f" · {campaign.open_jobs} in the making" if campaign.open_jobs else ""
        st.markdown(f":small[{words.escape(campaign_words.facts(campaign) + going)}]")


def _cover(campaign: Campaign) -> str:
    """The first frames of the first clips; what is not there yet is an outline, as in the chain of a clip."""
    drawn = (tiles.of_output(output, f"{campaign.name}, picture {n}") for n, output in enumerate(campaign.cover, 1))
    shown = [tile for tile in drawn if tile]
    shown += ['<div class="tile step unwanted"></div>'] * (COVER - len(shown))
    return f'<div class="strip">{"".join(shown)}</div>'


@st.dialog("New campaign", on_dismiss=campaign_address.close_dialog)
def _create() -> None:
    name = st.text_input("Name", max_chars=120, key="campaign-name", placeholder="Winter collection")
    brief = st.text_area(
        "Brief",
        max_chars=20_000,
        height=152,
        key="campaign-brief",
        placeholder="What it is for, for whom, and how it feels",
    )
    shared = st.toggle("Shared with the team", key="campaign-shared", help="Others may look, and change nothing.")
    new_id: UUID = st.session_state.setdefault(_NEW_ID, uuid4())  # a second click makes no second campaign
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Create campaign", type="primary", key="campaign-create"):
            with guard.told():
                made = campaigns.create_campaign(
                    guard.require(),
                    (name or "").strip(),
                    (brief or "").strip(),
                    visibility="team" if shared else "private",
                    campaign_id=new_id,
                )
                del st.session_state[_NEW_ID]
                campaign_address.open_campaign(made.id)
                st.rerun()
