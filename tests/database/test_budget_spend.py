"""The spend page: what it sums, who sees what, and the rollup behind it."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.database.books import SCHNELL, VEO, Books, cancelled, completed, failed, refused
from tests.database.budgets import DOLLAR, move, read_at_fal, set_balance, set_own, spend, violations, waste


def today(books: Books) -> date:
    day: date = books.value("select private.team_day(now())")
    return day


def report(books: Books, actor: UUID, *, days: int = 1, by: str = "type") -> Any:
    """The last so many days, compared with as many before."""
    last = today(books)
    first = last - timedelta(days=days - 1)
    return books.call(
        "spend_report",
        p_actor=actor,
        p_from=first,
        p_to=last,
        p_before_from=first - timedelta(days=days),
        p_before_to=first - timedelta(days=1),
        p_by=by,
    )


def ago(books: Books, days: int) -> str:
    moment: str = books.value("select (now() - make_interval(days => %s))::text", days)
    return moment


# The report


def test_a_person_sees_their_own_and_an_admin_everything(books: Books) -> None:
    one, two = books.person(), books.person()
    spend(books, one, "1")
    spend(books, two, "2", generation_type=VEO)
    mine, all_of_it = report(books, one), report(books, books.admin)
    assert (mine["everybody"], mine["totals"]["spent"], mine["totals"]["jobs"]) == (False, "1.000000", 1)
    assert [row["user_id"] for row in mine["by_person"]] == [str(one)]
    assert [row["generation_type"] for row in mine["by_type"]] == [SCHNELL]
    assert (all_of_it["everybody"], all_of_it["totals"]["spent"]) == (True, "3.000000")
    assert [row["user_id"] for row in all_of_it["by_person"]] == [str(two), str(one)]
    assert [row["generation_type"] for row in all_of_it["by_type"]] == [VEO, SCHNELL]
    with refused(403, "NOT_ACTIVE"):
        report(books, uuid4())


def test_all_parts_of_a_report_have_the_same_sum(books: Books) -> None:
    users = [books.person() for _ in range(3)]
    for number, user in enumerate(users):
        for days in (0, 1, 4):
            job = spend(books, user, f"0.{number + 1}", generation_type=VEO if days else SCHNELL)
            move(books, job, ago(books, days))
    for by in ("type", "person"):
        found = report(books, books.admin, days=7, by=by)
        sums = [sum(Decimal(row["spent"]) for row in found[part]) for part in ("by_day", "by_type", "by_person")]
        assert [*sums, Decimal(found["totals"]["spent"])] == [Decimal("1.8")] * 4
    assert len({row["day"] for row in found["by_day"]}) == 3
    assert violations(books) == []


def test_the_period_before_is_compared(books: Books) -> None:
    user = books.person()
    spend(books, user, "1")
    move(books, spend(books, user, "2.5"), ago(books, 8))
    move(books, spend(books, user, "9"), ago(books, 20))
    found = report(books, user, days=7)
    assert (found["totals"]["spent"], found["before"]["spent"], found["before"]["jobs"]) == ("1.000000", "2.500000", 1)


def test_estimate_and_actual_are_there_per_type(books: Books) -> None:
    user = books.person()
    job = books.submitted(user, units=Decimal(2), **DOLLAR)
    books.settle(job, completed("2.5"))
    (row,) = report(books, user)["by_type"]
    assert (row["estimated"], row["spent"], row["label"]) == ("2.000000", "2.500000", "Flux Schnell · fast draft")


def test_caps_stand_beside_people_who_spent_nothing(books: Books) -> None:
    user = books.person(cap="25")
    books.person()
    (row,) = report(books, books.admin)["by_person"]
    assert (row["user_id"], row["spent"], row["this_month"], row["cap"]) == (str(user), "0", "0", "25.000000")


def test_failures_that_cost_money_are_told_by_reason(books: Books) -> None:
    one, two = books.person(), books.person()
    spend(books, one, "5")
    dear = waste(books, one, "2")
    waste(books, one, "0.5")
    waste(books, two, "1")
    mine = report(books, one)["costly_failures"]
    assert (mine["count"], mine["spent"]) == (2, "2.500000")
    assert mine["by_reason"] == [{"error_type": "content_policy_violation", "count": 2, "spent": "2.500000"}]
    assert (mine["jobs"][0]["job_id"], mine["jobs"][0]["spent"]) == (str(dear), "2.000000")
    assert report(books, books.admin)["costly_failures"]["spent"] == "3.500000"
    books.cost(dear, "0", "confirmed")
    assert report(books, one)["costly_failures"]["spent"] == "0.500000"


def test_a_period_that_makes_no_sense_is_refused(books: Books) -> None:
    user, last = books.person(), today(books)
    arguments = {"p_actor": user, "p_from": last, "p_to": last, "p_before_from": last, "p_before_to": last}
    for wrong in ({"p_from": last + timedelta(days=1)}, {"p_from": last - timedelta(days=5000)}, {"p_by": "weather"}):
        with refused(422, "INVALID_INPUT"):
            books.call("spend_report", **(arguments | wrong))


def test_the_charts_read_no_job_and_little_history(books: Books) -> None:
    """The rollup alone answers: without a single job or line of history the sums are still there."""
    user = books.person()
    spend(books, user, "1")
    with psycopg.connect(books.url) as connection:
        connection.execute("set session_replication_role = replica")
        for table in ("generation_logs", "job_outputs", "credit_entries", "generation_jobs"):
            connection.execute(f"delete from {table}".encode())
        row = connection.execute(
            "select public.spend_report(%s, current_date - 1, current_date, current_date - 3, current_date - 2)",
            (user,),
        ).fetchone()
        assert row is not None
        assert (row[0]["totals"]["spent"], len(row[0]["by_day"]), len(row[0]["by_type"])) == ("1.000000", 1, 1)
        connection.rollback()


def test_spend_is_cut_by_campaign_too(books: Books) -> None:
    one, two = books.person(), books.person()
    with psycopg.connect(books.url) as connection:
        campaign = uuid4()
        connection.execute("insert into campaigns (id, owner_id, name) values (%s, %s, 'Spring')", (campaign, one))
        connection.execute(
            "insert into spend_daily (day, user_id, generation_type, campaign_id, jobs, spent_usd)"
            " select current_date, u, %s, c, 1, usd"
            " from unnest(%s::uuid[], %s::uuid[], %s::numeric[]) as x (u, c, usd)",
            (SCHNELL, [one, one, two], [campaign, None, campaign], ["1", "2", "4"]),
        )

        def days(actor: UUID) -> list[tuple[str, str]]:
            row = connection.execute(
                "select public.spend_report(%s, current_date, current_date, current_date, current_date, 'campaign')",
                (actor,),
            ).fetchone()
            assert row is not None
            return [(day["label"], day["spent"]) for day in row[0]["by_day"]]

        assert days(one) == [("Spring", "1.000000"), ("No campaign", "2.000000")]
        assert days(books.admin) == [("Spring", "5.000000"), ("No campaign", "2.000000")]
        connection.rollback()


# The burn-down


def burn(books: Books, actor: UUID, scope: str = "team", days: int = 5) -> Any:
    last = today(books)
    return books.call("burn_down", p_actor=actor, p_scope=scope, p_from=last - timedelta(days=days - 1), p_to=last)


def lefts(found: Any) -> list[str | None]:
    return [row["left"] for row in found["days"]]


def snapshot_at(books: Books, moment: str) -> None:
    """Let the latest balance have been entered at another moment."""
    with books.owner.transaction():
        books.owner.execute("set local session_replication_role = replica")
        books.owner.execute(
            "update budget_snapshots set created_at = %s where id = (select max(id) from budget_snapshots)", (moment,)
        )


def test_the_burn_down_falls_from_balance_to_balance(books: Books) -> None:
    user = books.person()
    for days, usd in ((4, "7"), (2, "1.5"), (1, "2")):
        move(books, spend(books, user, usd), ago(books, days))
    set_balance(books, "50")
    snapshot_at(books, ago(books, 3))
    set_balance(books, "20")
    spend(books, user, "0.25")
    found = burn(books, books.admin)
    assert lefts(found) == [None, "50.000000", "48.500000", "46.500000", "19.750000"]
    assert [row["spent"] for row in found["days"]] == ["7.000000", "0", "1.500000", "2.000000", "0.250000"]
    assert [row["amount"] for row in found["balances"]] == ["50.000000", "20.000000"]


def test_what_was_spent_before_a_balance_on_its_day_is_not_taken_off(books: Books) -> None:
    user = books.person()
    spend(books, user, "3")
    set_balance(books, "50")
    spend(books, user, "1")
    assert lefts(burn(books, books.admin))[-1] == "49.000000"


def test_readings_correct_the_line_and_only_top_ups_are_marked(books: Books) -> None:
    read_at_fal(books, "50")
    read_at_fal(books, "42")
    found = burn(books, books.admin)
    assert (lefts(found)[-1], [row["amount"] for row in found["balances"]]) == ("42.000000", ["50.000000"])


def test_a_cleared_balance_ends_the_line(books: Books) -> None:
    set_balance(books, "50")
    snapshot_at(books, ago(books, 2))
    set_balance(books, None)
    assert lefts(burn(books, books.admin)) == [None, None, "50.000000", "50.000000", None]


def test_the_line_of_an_allowance_is_its_owners(books: Books) -> None:
    one, two = books.person(), books.person()
    set_balance(books, "50")
    set_own(books, one, "10")
    spend(books, one, "1")
    spend(books, two, "5")
    assert lefts(burn(books, one, "person"))[-1] == "9.000000"
    assert lefts(burn(books, two, "person"))[-1] is None
    assert lefts(burn(books, books.admin))[-1] == "44.000000"
    with refused(403, "NOT_ALLOWED"):
        burn(books, one, "team")
    with refused(422, "INVALID_INPUT"):
        burn(books, one, "everybody")


def test_the_burn_down_looks_at_a_reading_a_day_however_many_there_are(books: Books) -> None:
    """fal.ai's balance is read every minute, for years."""
    admin = books.admin
    looked = "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables"
    with psycopg.connect(books.url) as connection:
        connection.execute(
            "insert into budget_snapshots (scope, amount_usd, source, starts_period, created_at)"
            " select 'team', 100, 'fal', n = 1, now() - make_interval(mins => 20000 - n)"
            " from generate_series(1, 20000) n"
        )
        connection.execute("analyze budget_snapshots")

        def rows_read() -> int:
            row = connection.execute(f"{looked} where relname = 'budget_snapshots'".encode()).fetchone()
            assert row is not None
            return int(row[0])

        before = rows_read()
        found = connection.execute(
            "select public.burn_down(%s, 'team', current_date - 9, current_date)", (admin,)
        ).fetchone()
        assert found is not None
        assert lefts(found[0]) == ["100.000000"] * 10
        assert rows_read() - before < 100
        connection.rollback()


# The rollup


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


# The timezone


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
