"""What admins do with people. Every function checks the acting person again in SQL and leaves a line in the trail.

All of them raise NotAllowed for anybody but an admin; a refused try is in the trail too.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import httpx
from supabase_auth.errors import AuthError

from core.admin.calls import as_admin, only_admins
from core.database import fetch, get_database, money
from core.log import get_logger
from core.models import Person, Role, Waiting
from core.rows import moment, when
from core.sealing import unseal
from core.sessions import PURPOSE
from core.settings import get_settings

log = get_logger(__name__)

Standing = Literal["waiting", "approved", "declined", "off", "deleted"]
Filter = Literal["all", "waiting", "approved", "declined", "off", "deleted", "admins", "unmetered", "capped"]


@dataclass(frozen=True, slots=True)
class Member:
    """One person as admins see them. Credits are whole numbers, money is USD.

    `state` is "off" for somebody who is switched off: open jobs finish, nothing new starts.
    """

    user_id: UUID
    email: str
    full_name: str
    role: Role
    state: Standing
    is_unmetered: bool
    cap: Decimal | None  # a calendar month
    spent_month: Decimal
    available: int
    held: int
    open_jobs: int
    sessions: int  # browsers that are signed in
    created_at: datetime
    last_seen_at: datetime | None
    approved_at: datetime | None
    approved_by: str | None  # a name; None when it was the configuration
    declined_at: datetime | None


@dataclass(frozen=True, slots=True)
class MemberPage:
    """One page, newest first. `after` begins the next one, None on the last; `counts` by filter, on the first only."""

    members: tuple[Member, ...]
    after: UUID | None
    counts: dict[Filter, int] | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision about many did: `unchanged` are those who were past it already."""

    changed: tuple[UUID, ...]
    unchanged: tuple[UUID, ...]
    unknown: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Standings:
    """A person after a change."""

    user_id: UUID
    role: Role
    state: Standing
    is_unmetered: bool


@dataclass(frozen=True, slots=True)
class SignedOut:
    """`sessions` ended here. Without `at_supabase`, tokens that somebody took elsewhere live until they run out."""

    sessions: int
    at_supabase: bool


def search(
    person: Person, text: str = "", *, show: Filter = "all", after: UUID | None = None, limit: int = 50
) -> MemberPage:
    """People by name or address, newest first, with what an admin needs about each, in one call."""
    found = as_admin(person, "list_people", p_search=text, p_filter=show, p_after=after, p_limit=limit)
    members = tuple(_member(row) for row in found["people"])
    return MemberPage(members, members[-1].user_id if found["more"] else None, found.get("counts"))


def waiting(person: Person, limit: int = 100) -> tuple[Waiting, ...]:
    """Who has waited longest for approval; row level security shows them to admins only, too."""
    only_admins(person, "waiting_people")
    query = (
        get_database()
        .rows_of(person.access_token)
        .from_("profiles")
        .select("user_id,email,full_name,created_at")
        .eq("is_approved", False)
        .eq("is_active", True)
        .is_("declined_at", "null")
        .neq("user_id", str(person.user_id))
        .order("created_at")
        .limit(limit)
    )
    return tuple(
        Waiting(
            user_id=UUID(row["user_id"]),
            email=row["email"],
            full_name=row["full_name"],
            created_at=moment(row["created_at"]),
        )
        for row in fetch(query, "profiles")
    )


def approve(person: Person, user_id: UUID, reason: str = "") -> None:
    """Let a person work, with welcome credits the first time. Raises NotFound."""
    credits = get_settings().welcome_credits
    as_admin(person, "approve_person", p_user=user_id, p_welcome_credits=credits, p_reason=reason)


def decline(person: Person, user_id: UUID, reason: str = "") -> None:
    """Take a person off the waiting list. Raises NotFound, Refused when approved already."""
    as_admin(person, "decline_person", p_user=user_id, p_reason=reason)


def approve_many(person: Person, user_ids: Iterable[UUID], reason: str = "") -> Decided:
    """Approve up to 500 people in one transaction, each with welcome credits the first time. Raises InvalidInput."""
    credits = get_settings().welcome_credits
    users = list(user_ids)
    return _decided(as_admin(person, "approve_people", p_users=users, p_welcome_credits=credits, p_reason=reason))


def decline_many(person: Person, user_ids: Iterable[UUID], reason: str = "") -> Decided:
    """Take up to 500 people off the waiting list; who is approved stays approved. Raises InvalidInput."""
    return _decided(as_admin(person, "decline_people", p_users=list(user_ids), p_reason=reason))


def set_role(person: Person, user_id: UUID, role: Role, reason: str = "") -> Standings:
    """Make somebody an admin, or a user again. There is always an admin left, as nobody changes their own role.

    Raises NotFound; Refused with code OWN_ROLE, NOT_YET (not approved, or switched off) or ADMIN_BY_CONFIGURATION (the
    address is in ADMIN_EMAILS, so the next sign-in would undo it).
    """
    emails = list(get_settings().admin_emails)
    return _standings(as_admin(person, "set_role", p_user=user_id, p_role=role, p_reason=reason, p_admin_emails=emails))


def set_unmetered(person: Person, user_id: UUID, on: bool, reason: str = "") -> Standings:
    """Let somebody's jobs cost no credits from now on, or let them cost again; USD are counted either way."""
    return _standings(as_admin(person, "set_unmetered", p_user=user_id, p_on=on, p_reason=reason))


def deactivate(person: Person, user_id: UUID, reason: str = "") -> Standings:
    """Switch somebody off: open jobs finish, nothing new starts. Raises NotFound, Refused (OWN_ACCOUNT)."""
    return _standings(as_admin(person, "set_active", p_user=user_id, p_on=False, p_reason=reason))


def reactivate(person: Person, user_id: UUID, reason: str = "") -> Standings:
    """Switch somebody on again, with the role and approval they had. Raises NotFound."""
    return _standings(as_admin(person, "set_active", p_user=user_id, p_on=True, p_reason=reason))


def sign_out_everywhere(person: Person, user_id: UUID, reason: str = "") -> SignedOut:
    """End every session of somebody, here and at Supabase, where it ends every refresh token. Raises NotFound.

    A token that is out already reads its owner's rows until it expires, within the hour; it can change nothing.
    """
    sealed = as_admin(person, "sign_out_everywhere", p_user=user_id, p_reason=reason)
    return SignedOut(len(sealed), any(_ended_at_supabase(each) for each in sealed))


def grant_credits(person: Person, user_id: UUID, amount: int, reason: str, key: str) -> None:
    """Give credits, or take back with a negative amount; `key` makes asking twice harmless.

    Raises InvalidInput without a reason or for zero, InsufficientCredits when taking more than there is.
    """
    as_admin(person, "grant_credits", p_user=user_id, p_amount=amount, p_reason=reason, p_key=key)


def _ended_at_supabase(sealed: str) -> bool:
    """Whether Supabase has ended all sessions of the person whose tokens these are: one of them is enough."""
    opened = unseal(sealed, PURPOSE)
    if opened is None:  # sealed with a secret that is gone
        return False
    access_token, refresh_token = json.loads(opened)
    try:
        client = get_database().auth()
        client.auth.set_session(access_token, refresh_token)
        client.auth.sign_out({"scope": "global"})
    except (AuthError, httpx.HTTPError) as error:
        log.warning("sign_out_not_told", error_class=type(error).__name__)
        return False
    return True


def _member(row: dict[str, Any]) -> Member:
    return Member(
        user_id=UUID(row["user_id"]),
        email=row["email"],
        full_name=row["full_name"],
        role=row["role"],
        state=row["state"],
        is_unmetered=row["is_unmetered"],
        cap=money(row["cap"]) if row["cap"] is not None else None,
        spent_month=money(row["spent_month"]),
        available=row["available"],
        held=row["held"],
        open_jobs=row["open_jobs"],
        sessions=row["sessions"],
        created_at=moment(row["created_at"]),
        last_seen_at=when(row["last_seen_at"]),
        approved_at=when(row["approved_at"]),
        approved_by=row["approved_by"],
        declined_at=when(row["declined_at"]),
    )


def _decided(row: dict[str, Any]) -> Decided:
    changed, unchanged, unknown = (tuple(map(UUID, row[name])) for name in ("changed", "unchanged", "unknown"))
    return Decided(changed, unchanged, unknown)


def _standings(row: dict[str, Any]) -> Standings:
    return Standings(UUID(row["user_id"]), row["role"], row["state"], row["is_unmetered"])
