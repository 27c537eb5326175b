"""What a deed is, who is in the story, and to whom a number points."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from tests.database.books import Books, Row, code_of
from tests.database.model.world import DONE, Job, World, retry_of
from tests.database.payments import Order

PEOPLE = ("Ada", "Ben")


@dataclass(frozen=True)
class Deed:
    """`expect` changes the world and names the outcome; `read` finds the outcome in what the function returned."""

    name: str
    function: str
    arguments: Row
    expect: Callable[[World], str]
    read: Callable[[Any], str] = lambda _result: DONE

    def outcome(self, result: Any) -> str:
        return code_of(result) or "?" if isinstance(result, psycopg.Error) else self.read(result)


@dataclass
class Cast:
    """Who and what there is under which name in the world, and its id in the database."""

    books: Books
    people: dict[str, UUID]
    jobs: dict[str, UUID] = field(default_factory=dict)
    creators: dict[str, str] = field(default_factory=dict)  # who first asked for a job
    orders: dict[str, Order] = field(default_factory=dict)
    ids: int = 0

    def new_id(self) -> UUID:
        """The same in every run, so that a failure can be played again."""
        self.ids += 1
        return UUID(int=self.ids, version=4)

    def look_up_retries(self) -> None:
        """Jobs that the database made by itself get their names."""
        names = {job: name for name, job in self.jobs.items()}
        query = "select id, retried_from from generation_jobs where is_automatic_retry order by created_at"
        for row in self.books.all(query):
            self.jobs.setdefault(retry_of(names[row["retried_from"]]), row["id"])


def pick(things: dict[str, Any], number: int) -> str:
    """One of them by a number; the latest for 0, so that a short story stays with what it has just begun."""
    return list(things)[-1 - number % len(things)]


def person(number: int) -> str:
    return PEOPLE[number // 6 % 2]


def pick_job(world: World, number: int, likely: Callable[[Job], bool]) -> str:
    """Mostly one of the likely jobs, now and then any."""
    jobs = {key: job for key, job in world.jobs.items() if likely(job)}
    return pick(jobs if jobs and number % 6 else world.jobs, number // 6 if number % 6 == 0 else number)
