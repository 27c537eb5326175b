"""Ids that the database makes are in the order of time, as those of `core.ids`."""

from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

from tests.database.books import Books


def test_an_id_is_of_version_7_and_begins_with_its_time(books: Books) -> None:
    at = datetime(2026, 11, 30, 12, 0, 0, 123_000, tzinfo=UTC)
    made: list[UUID] = [books.value("select private.new_id(%s)", at) for _ in range(50)]
    assert len(set(made)) == 50
    for one in made:
        assert (one.version, one.variant) == (7, "specified in RFC 4122")
        assert one.int >> 80 == int(at.timestamp() * 1000)


def test_later_ids_come_after_earlier_ones(books: Books) -> None:
    made: list[UUID] = [
        books.value("select private.new_id(now() + make_interval(secs => %s))", second) for second in range(20)
    ]
    assert all(earlier < later for earlier, later in pairwise(made))
