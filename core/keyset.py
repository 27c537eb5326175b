"""Going through a long list: on from the place where a page ended, so that page 5,000 costs what page 1 does.

Nothing is counted and nothing before the place is read: the index that orders the list leads straight to it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Place:
    """The last row of a page of a list that has the newest first: its `created_at` and its id."""

    created_at: datetime
    id: UUID


def newest_first(query: Any, after: Place | None, size: int) -> Any:
    """The query ordered and cut to one page that begins after a place; one row more tells whether there is another."""
    if after is not None:
        at = after.created_at.isoformat()
        # The first condition is what the index understands; the second one tells rows of the same moment apart.
        query = query.lte("created_at", at)
        query = query.or_(f'created_at.lt."{at}",and(created_at.eq."{at}",id.lt.{after.id})')
    return query.order("created_at", desc=True).order("id", desc=True).limit(size + 1)
