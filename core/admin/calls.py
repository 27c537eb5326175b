"""Calling what only admins may. The SQL function checks the acting person; `Database.call` notes a refusal."""

from typing import Any

from core.database import Database, get_database
from core.errors import NotAllowed
from core.models import Person


def as_admin(person: Person, function: str, *, database: Database | None = None, **parameters: Any) -> Any:
    """Call an admin function as this person; returns what it returns. Raises NotAllowed for others."""
    return (database or get_database()).call(function, p_actor=person.user_id, **parameters)


def only_admins(person: Person, action: str) -> None:
    """For what begins before its SQL function is called, and for pages. Raises NotAllowed, and notes it."""
    if not person.is_admin:
        get_database().note_refusal(person.user_id, action)
        raise NotAllowed("Only an admin can do this.", code="NOT_ALLOWED", detail={"action": action})
