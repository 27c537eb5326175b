"""Calling what only admins may: the SQL function checks the acting person, and a refusal leaves a trace.

A refusal ends its own transaction, so no row of that can stay. It is told afterwards in a call of its own, and
PostgreSQL's log has a line from the moment itself, whichever door was tried.
"""

from typing import Any
from uuid import UUID

from core.database import Database, get_database
from core.errors import DatabaseError, NotAllowed
from core.log import get_logger
from core.models import Person

log = get_logger(__name__)


def as_admin(person: Person, function: str, *, database: Database | None = None, **parameters: Any) -> Any:
    """Call an admin function as this person; returns what it returns. Raises NotAllowed (and notes it) for others."""
    try:
        return (database or get_database()).call(function, p_actor=person.user_id, **parameters)
    except NotAllowed as refusal:
        if refusal.code == "NOT_ALLOWED":
            note_refusal(person.user_id, function)
        raise


def only_admins(person: Person, action: str) -> None:
    """For work that begins before its SQL function is called. Raises NotAllowed, and notes it."""
    if not person.is_admin:
        note_refusal(person.user_id, action)
        raise NotAllowed("Only an admin can do this.", code="NOT_ALLOWED", detail={"action": action})


def note_refusal(user_id: UUID, action: str) -> None:
    """Keep in the trail that somebody tried what only admins may: once in ten minutes for each person and action.

    Raises nothing: the refusal itself stands, and is in the log in any case.
    """
    log.warning("admin_refused", user_id=str(user_id), action=action)
    try:
        get_database().call("note_refusal", p_person=user_id, p_action=action)
    except DatabaseError as error:
        log.error("refusal_not_noted", user_id=str(user_id), action=action, error=error.sentence, detail=error.detail)
