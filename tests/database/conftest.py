"""For tests of the SQL itself: the fixtures of `tests.database.books`."""

from tests.database.books import books_fixture, broken_books_fixture  # noqa: F401
