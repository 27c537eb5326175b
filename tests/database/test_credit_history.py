"""What people read of their credits: one line a job, each balance following from the one below, and how they stand."""

from itertools import pairwise
from uuid import UUID

from tests.database.books import Row, as_person, cancelled, completed, failed
from tests.database.payments import Shop, event, shop_fixture  # noqa: F401


def lines(shop: Shop, user: UUID | None) -> list[Row]:
    """A person's own lines as their token reads them, newest first."""
    with as_person(shop.books.url, user) as connection:
        return connection.execute("select * from credit_lines order by id desc").fetchall()


def told(found: list[Row]) -> list[tuple[str, int, int]]:
    return [(row["kind"], row["change"], row["balance"]) for row in found]


def test_a_job_is_one_line_from_setting_aside_to_its_end(shop: Shop) -> None:
    user = shop.person(20)
    job = shop.books.submitted(user, quantity=4)
    (running, welcome) = lines(shop, user)
    assert told([running, welcome]) == [("hold", 0, 20), ("welcome", 20, 20)]
    assert (running["job_id"], running["amount"], running["set_aside_at"]) == (job, 4, None)
    shop.books.settle(job, completed("8"))
    (charged, welcome) = lines(shop, user)
    assert told([charged, welcome]) == [("capture", -4, 16), ("welcome", 20, 20)]
    assert (charged["set_aside_at"], charged["job_status"]) == (running["created_at"], "completed")


def test_balances_follow_each_other_whatever_runs_at_once(shop: Shop) -> None:
    user = shop.person(50)
    jobs = [shop.books.submitted(user, quantity=number) for number in (1, 2, 3, 4)]
    shop.bought(user)
    shop.books.settle(jobs[2], completed("6"))
    shop.books.settle(jobs[0], failed())
    order = shop.bought(user)
    shop.deliver(event("charge.dispute.created", order.dispute()), event("refund.created", order.refund(950)))
    shop.books.settle(jobs[3], cancelled())
    found = lines(shop, user)
    assert all(above["balance"] == below["balance"] + above["change"] for above, below in pairwise(found))
    assert found[-1]["balance"] == found[-1]["change"]
    available, held, _frozen, _owed = shop.account(user)
    assert found[0]["balance"] == available + held
    assert sorted(row["kind"] for row in found if row["job_id"]) == ["capture", "hold", "release", "release"]


def test_a_line_knows_its_purchase(shop: Shop) -> None:
    order = shop.bought(shop.person())
    (line,) = lines(shop, order.user)
    assert (line["purchase_id"], line["has_receipt"], line["purchase_status"]) == (order.id, True, "paid")


def test_people_read_their_own_lines_only(shop: Shop) -> None:
    one, two = shop.person(10), shop.person(20)
    assert (told(lines(shop, one)), told(lines(shop, two))) == ([("welcome", 10, 10)], [("welcome", 20, 20)])
    assert lines(shop, None) == []


def test_how_a_person_stands(shop: Shop) -> None:
    user = shop.person(10)
    order = shop.bought(user)
    shop.use(user, 60)
    shop.books.submitted(user, quantity=20)
    shop.deliver(event("refund.created", order.refund()))
    stands = {"available": 0, "held": 20, "owed": 70, "frozen": 0, "used_this_month": 60}
    assert shop.books.call("credit_standing", p_actor=user) == stands
    assert shop.books.call("credit_standing", p_actor=order.id) is None


def test_the_month_is_the_teams(shop: Shop) -> None:
    """The day that the team's timezone says it is decides, not the clock of a server in another one."""
    user = shop.person(10)
    used = "select (public.credit_standing(%s) ->> 'used_this_month')::int"
    as_it_is = shop.books.value("select pg_get_functiondef('private.team_day'::regproc)")

    def today_is(day: str) -> None:
        shop.books.owner.execute(
            "create or replace function private.team_day(p_time timestamptz) returns date language sql stable"
            f" set search_path = '' as $$ select date '{day}' $$".encode()
        )

    today_is("2001-01-31")
    shop.use(user, 3)
    assert shop.books.value(used, user) == 3
    today_is("2001-02-01")
    assert shop.books.value(used, user) == 0
    shop.use(user, 2)
    assert shop.books.value(used, user) == 2
    shop.books.owner.execute(as_it_is)
    shop.books.call("rebuild_spend_daily")
