"""One person in a dialog, for admins: how they stand, and everything that can be changed about them."""

from decimal import Decimal
from functools import partial
from uuid import UUID, uuid4

import streamlit as st

from core import limits, people
from core.errors import InvalidInput
from core.models import Person
from core.people import Member
from ui import acting, guard, session, words

_PLACE = "member"
_CHOSEN = "member-chosen"  # (id, email) of whose detail is open
_REASON, _CREDITS, _CAP, _KEY = "member-reason", "member-credits", "member-cap", "member-key"
_LARGEST = 1_000_000


def choose(member: Member) -> None:
    """Open somebody's detail with this run and those that follow, until it is closed."""
    st.session_state[_CHOSEN] = (member.user_id, member.email)
    for key in (_REASON, _CREDITS, _CAP, _KEY):
        st.session_state.pop(key, None)


def _close() -> None:
    st.session_state.pop(_CHOSEN, None)


def open_chosen(person: Person) -> None:
    chosen: tuple[UUID, str] | None = st.session_state.get(_CHOSEN)
    if chosen is None:
        return
    member = _find(person, *chosen)
    if member is None:
        _close()
        return
    st.dialog(words.escape(member.full_name or member.email), width=1040, on_dismiss=_close)(_body)(member)


def _find(person: Person, user_id: UUID, email: str) -> Member | None:
    found = people.search(person, email, limit=10).members
    return next((member for member in found if member.user_id == user_id), None)


def _body(opened: Member) -> None:
    person = guard.require(admin=True)
    member = _find(person, opened.user_id, opened.email)
    if member is None:
        st.markdown(":gray[This account is gone.]")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(words.email(member.email))
        st.table(_facts(member), border="horizontal", alt="Facts about this person")
    with right:
        acting.outcome(_PLACE)
        st.text_input("Reason, kept in the trail", key=_REASON, max_chars=500)
        if member.state in ("waiting", "declined"):
            with st.container(horizontal=True):
                _button("Approve", partial(_approve, member.user_id), "member-approve")
                if member.state == "waiting":
                    _button("Decline", partial(_decline, member.user_id), "member-decline", tertiary=True)
            return
        _credits(member)
        _cap(member)
        _switches(person, member)


def _facts(member: Member) -> dict[str, str]:
    """Label → words, escaped for the table's markdown."""
    now, tz = session.now(), session.tz()
    credits = "No credits needed" if member.is_unmetered else words.credits(member.available)
    if member.held and not member.is_unmetered:
        credits += f", {words.number(member.held)} set aside"
    spent = words.usd(member.spent_month, 2)
    approved = words.exact(member.approved_at, now, tz) if member.approved_at else None
    facts = {
        "Role": "Admin" if member.role == "admin" else "Member",
        "State": {"off": "Switched off"}.get(member.state, member.state.capitalize()),
        "Approved": f"{approved} by {member.approved_by or 'the configuration'}" if approved else None,
        "Credits": credits,
        "This month": f"{spent} of {words.usd(member.cap, 2)}" if member.cap is not None else f"{spent}, no cap",
        "Open jobs": words.number(member.open_jobs),
        "Signed in": words.count(member.sessions, "browser") if member.sessions else "Nowhere",
        "Last seen": f"{words.ago(member.last_seen_at, now, tz)} · {words.exact(member.last_seen_at, now, tz)}"
        if member.last_seen_at
        else "Never",
        "Joined": words.exact(member.created_at, now, tz),
    }
    return {f":gray[{name}]": words.escape(value) for name, value in facts.items() if value}


def _button(label: str, act: "partial[str]", key: str, *, tertiary: bool = False) -> None:
    st.button(label, type="tertiary" if tertiary else "secondary", key=key, on_click=acting.attempt, args=(_PLACE, act))


def _credits(member: Member) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Credits to give",
            min_value=-_LARGEST,
            max_value=_LARGEST,
            value=None,
            step=1,
            key=_CREDITS,
            placeholder="20",
            help="A negative number takes back. The reason is needed.",
            width=170,
        )
        _button("Give credits", partial(_grant, member.user_id), "member-grant")


def _cap(member: Member) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Cap a month, USD",
            min_value=0.0,
            value=float(member.cap) if member.cap is not None else None,
            step=1.0,
            format="%.2f",
            key=_CAP,
            placeholder="No cap",
            width=170,
        )
        _button("Set cap", partial(_set_cap, member.user_id), "member-set-cap")
        if member.cap is not None:
            _button("Lift", partial(_lift_cap, member.user_id), "member-lift-cap", tertiary=True)


def _switches(person: Person, member: Member) -> None:
    metered = "Let jobs cost credits" if member.is_unmetered else "No credits needed"
    with st.container(horizontal=True):
        _button(metered, partial(_meter, member.user_id, not member.is_unmetered), "member-meter")
        if member.user_id != person.user_id and member.state == "approved":
            role = "Make a member" if member.role == "admin" else "Make an admin"
            _button(role, partial(_set_role, member.user_id, member.role), "member-role")
        _button("Sign out everywhere", partial(_sign_out, member.user_id), "member-sign-out")
    if member.user_id == person.user_id:
        st.markdown(":small[:gray[Your own role and account are for another admin to change.]]")
    elif member.state == "off":
        _button("Switch on again", partial(_switch, member.user_id, True), "member-on")
    else:
        with st.popover("Switch off", type="tertiary", key="member-switch-off"):
            st.markdown("Open jobs finish, and nothing new starts. Credits and history are kept.")
            _button("Switch this account off", partial(_switch, member.user_id, False), "member-off")


def _reason() -> str:
    return str(st.session_state.get(_REASON) or "").strip()


def _approve(user_id: UUID, person: Person) -> str:
    people.approve(person, user_id, _reason())
    return "Approved. They can start at once."


def _decline(user_id: UUID, person: Person) -> str:
    people.decline(person, user_id, _reason())
    return "Declined. They can still be approved later."


def _grant(user_id: UUID, person: Person) -> str:
    amount = st.session_state.get(_CREDITS)
    if not amount:
        raise InvalidInput("Enter how many credits first.", field="amount")
    key = st.session_state.setdefault(_KEY, str(uuid4()))  # asking twice gives once
    people.grant_credits(person, user_id, int(amount), _reason(), f"grant:{key}")
    del st.session_state[_KEY]
    st.session_state[_CREDITS] = None
    return f"{words.credits(amount)} given." if amount > 0 else f"{words.credits(-amount)} taken back."


def _set_cap(user_id: UUID, person: Person) -> str:
    cap = st.session_state.get(_CAP)
    if cap is None:
        raise InvalidInput("Enter an amount first, such as 25.00.", field="cap")
    limits.set_monthly_cap(person, user_id, Decimal(str(round(cap, 2))), _reason())
    return "The cap is set."


def _lift_cap(user_id: UUID, person: Person) -> str:
    limits.set_monthly_cap(person, user_id, None, _reason())
    st.session_state[_CAP] = None
    return "The cap is lifted."


def _meter(user_id: UUID, on: bool, person: Person) -> str:
    people.set_unmetered(person, user_id, on, _reason())
    return "Their jobs cost no credits from now on." if on else "Their jobs cost credits again."


def _set_role(user_id: UUID, role: str, person: Person) -> str:
    people.set_role(person, user_id, "user" if role == "admin" else "admin", _reason())
    return "They are a member now." if role == "admin" else "They are an admin now."


def _sign_out(user_id: UUID, person: Person) -> str:
    done = people.sign_out_everywhere(person, user_id, _reason())
    return f"Signed out of {words.count(done.sessions, 'browser')}."


def _switch(user_id: UUID, on: bool, person: Person) -> str:
    change = people.reactivate if on else people.deactivate
    change(person, user_id, _reason())
    return "The account is on again." if on else "The account is off. Open jobs finish."
