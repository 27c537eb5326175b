"""The rollup of spend made anew: for repair, and for another timezone."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.database.books import SCHNELL, VEO, Books, cancelled, completed, failed, refused
from tests.database.budgets import DOLLAR, move, spend, violations, waste


def test_a_rebuild_finds_no_difference(books: Books) -> None:
    user = books.person()
    job = spend(books, user, "1")
    waste(books, user, "2")
    books.cost(job, "0.7", "confirmed")
    with books.unchanged():
        assert books.call("rebuild_spend_daily") == []


def live(books: Books, chance: Random, user: UUID) -> None:
    """One job of a made history, through the functions of the product alone, with whatever end and cost."""
    kind = chance.choice([SCHNELL, VEO])
    job = books.unclear(user, units=Decimal(chance.randint(1, 400)) / 100, generation_type=kind, **DOLLAR)
    books.owner.execute("update generation_jobs set created_at = created_at - interval '40 days' where id = %s", (job,))
    end = chance.choice(["completed", "metered", "wasted", "failed", "cancelled", "late", "lost"])
    if end in ("late", "lost"):
        books.give_up(job)
    if end != "lost":
        books.accept(job)
        units = f"{chance.randint(1, 400) / 100}"
        verdicts = {
            "metered": completed(units),
            "wasted": failed(billable=True),
            "failed": failed("runner_disconnected"),
            "cancelled": cancelled(),
        }
        books.settle(job, verdicts.get(end, completed()))
    if chance.random() < 0.3:
        books.cost(job, f"{chance.randint(0, 300) / 100}")
    if chance.random() < 0.6:
        at = datetime.now(UTC) - timedelta(minutes=chance.randint(0, 35 * 24 * 60))
        usd = f"{chance.randint(0, 300) / 100}"
        rows = [{"job": str(job), "usd": usd, "units": None, "charged_at": at.isoformat()}]
        books.call("record_billing", p_answers=rows)


def test_a_rebuild_finds_no_difference_in_a_made_history(books: Books) -> None:
    """Ends of every kind, costs that change, charges on other days; then days that begin elsewhere."""
    chance = Random(20261121)
    people = [books.person(5000) for _ in range(3)]
    for _ in range(60):
        live(books, chance, chance.choice(people))
    for zone in ("UTC", "Pacific/Kiritimati", "America/St_Johns"):
        books.call("set_team_timezone", p_actor=books.admin, p_timezone=zone)
        assert books.call("rebuild_spend_daily") == []
        by_day: dict[tuple[date, UUID, str], Decimal] = defaultdict(Decimal)
        for line in books.all("select * from generation_logs where billed_at is not null"):
            day = line["billed_at"].astimezone(ZoneInfo(zone)).date()
            by_day[day, line["user_id"], line["generation_type"]] += line["spent_usd"]
        kept = books.all("select day, user_id, generation_type, spent_usd from spend_daily")
        assert {(row["day"], row["user_id"], row["generation_type"]): row["spent_usd"] for row in kept} == by_day
        assert len({day for day, *_ in by_day}) > 20
    assert sum(by_day.values()) == books.value("select sum(spent_usd) from generation_jobs")
    assert violations(books) == []


def test_a_rebuild_repairs_what_is_wrong_missing_or_too_much(books: Books) -> None:
    one, two = books.person(), books.person()
    spend(books, one, "1")
    spend(books, two, "2")
    right = books.all("select day, user_id, generation_type, spent_usd, jobs from spend_daily order by user_id")
    books.owner.execute("update spend_daily set spent_usd = 9, credits = 7 where user_id = %s", (one,))
    books.owner.execute("delete from spend_daily where user_id = %s", (two,))
    books.owner.execute(
        "insert into spend_daily (day, user_id, generation_type, jobs) values ('2020-01-01', %s, %s, 3)", (one, VEO)
    )
    differences = books.call("rebuild_spend_daily")
    assert len(differences) == 3
    assert {row["user_id"]: row["had"] for row in differences}[str(two)] is None
    assert books.all("select day, user_id, generation_type, spent_usd, jobs from spend_daily order by user_id") == right
    assert books.call("rebuild_spend_daily") == []


def test_a_rebuild_while_jobs_end_loses_nothing(books: Books) -> None:
    people = [books.person() for _ in range(4)]
    for user in people:
        spend(books, user, "1")
    running = [books.submitted(user, units=Decimal(1), **DOLLAR) for user in people for _ in range(2)]
    books.owner.execute("update spend_daily set spent_usd = 0")
    books.race(
        *[("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}) for job in running[:4]],
        ("rebuild_spend_daily", {}),
        ("rebuild_spend_daily", {}),
        *[("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}) for job in running[4:]],
    )
    assert sum(books.spent(user) for user in people) == 12
    assert books.call("rebuild_spend_daily") == []


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"])
def test_another_timezone_recounts_the_days(books: Books, zone: str) -> None:
    user = books.person()
    moments = ["2026-03-28 23:30+00", "2026-03-29 00:59+00", "2026-10-25 23:30+00", "2026-11-01 03:59+00"]
    for number, moment in enumerate(moments):
        move(books, spend(books, user, f"{number + 1}"), moment)
    assert books.call("set_team_timezone", p_actor=books.admin, p_timezone=zone)["timezone"] == zone
    expected = books.all(
        "select (m::timestamptz at time zone %s)::date as day, sum(n) as usd"
        " from unnest(%s::text[]) with ordinality as t (m, n) group by 1 order by 1",
        zone,
        moments,
    )
    rows = books.all("select day, sum(spent_usd) as usd from spend_daily group by 1 order by 1")
    assert [(row["day"], row["usd"]) for row in rows] == [(row["day"], row["usd"]) for row in expected]
    assert books.call("rebuild_spend_daily") == []


def test_a_timezone_changes_while_jobs_end(books: Books) -> None:
    people = [books.person() for _ in range(4)]
    running = [books.submitted(user, units=Decimal(1), **DOLLAR) for user in people]
    books.race(
        *[("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}) for job in running[:2]],
        ("set_team_timezone", {"p_actor": books.admin, "p_timezone": "Pacific/Kiritimati"}),
        *[("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}) for job in running[2:]],
    )
    assert books.call("rebuild_spend_daily") == []
    assert books.value("select sum(spent_usd) from spend_daily") == 4


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "posix/Europe/Paris", "UTC'; drop table x"])
def test_a_timezone_that_is_none_is_refused(books: Books, zone: str) -> None:
    _ = books.admin
    with books.unchanged(), refused(422, "INVALID_INPUT"):
        books.call("set_team_timezone", p_actor=books.admin, p_timezone=zone)


def test_the_timezone_is_on_the_trail(books: Books) -> None:
    for _ in range(2):
        books.call("set_team_timezone", p_actor=books.admin, p_timezone="Europe/Paris")
    line = books.one("select before, after from admin_actions where action = 'set_team_timezone'")
    assert (line["before"], line["after"]) == ({"timezone": "UTC"}, {"timezone": "Europe/Paris"})
