"""Reports of spend: who sees what, and that all parts have one sum."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg

from tests.database.books import SCHNELL, VEO, Books, completed, refused
from tests.database.budgets import DOLLAR, move, spend, violations, waste
from tests.database.spend_days import ago, today


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
