"""Days of spend: today where the team is, and days before."""

from datetime import date

from tests.database.books import Books


def today(books: Books) -> date:
    day: date = books.value("select private.team_day(now())")
    return day


def ago(books: Books, days: int) -> str:
    moment: str = books.value("select (now() - make_interval(days => %s))::text", days)
    return moment
