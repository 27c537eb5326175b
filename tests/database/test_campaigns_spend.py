"""Spend per campaign: exact, rebuilt from the history, and read by those whose spend it is."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from tests.database.books import Books, completed, failed
from tests.database.campaigns import clips_of, make, new_campaign, submitted

DAY = datetime.now(UTC).date()


@pytest.fixture
def user(books: Books) -> UUID:
    return books.person(500)


def rollup(books: Books, user: UUID) -> dict[UUID | None, tuple[int, int, Decimal]]:
    """Jobs, credits and USD by campaign."""
    rows = books.all(
        "select campaign_id, sum(jobs) as jobs, sum(credits) as credits, sum(spent_usd) as usd from spend_daily"
        " where user_id = %s group by 1",
        user,
    )
    return {row["campaign_id"]: (row["jobs"], row["credits"], row["usd"]) for row in rows}


def test_every_campaign_has_its_own_line(books: Books, user: UUID) -> None:
    autumn, winter = (new_campaign(books, user, clips=1) for _ in range(2))
    for campaign, times in ((autumn, 2), (winter, 1)):
        for _ in range(times):
            make(books, user, clips_of(books, campaign)[0])
    job = books.submitted(user, generation_type="first_frame", unit_price_usd=Decimal("0.15"))
    books.settle(job, completed())
    assert rollup(books, user) == {
        autumn: (2, 20, Decimal("0.30")),
        winter: (1, 10, Decimal("0.15")),
        None: (1, 10, Decimal("0.15")),
    }
    assert books.value("select count(*) from spend_daily") == 3


def test_failures_retries_and_confirmed_costs_stay_with_the_campaign(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=1)
    clip = clips_of(books, campaign)[0]
    bad = submitted(books, user, clip)
    books.settle(bad, failed(billable=True))
    good = make(books, user, clip)["job_id"]
    books.cost(good, "0.12", "confirmed")
    assert rollup(books, user) == {campaign: (2, 10, Decimal("0.27"))}


def test_the_first_lines_of_a_day_written_at_once(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=4)
    jobs = [submitted(books, user, clip) for clip in clips_of(books, campaign)]
    jobs += [books.submitted(user, generation_type="first_frame") for _ in range(4)]
    books.race(*[("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}) for job in jobs])
    assert {key: value[0] for key, value in rollup(books, user).items()} == {campaign: 4, None: 4}
    assert books.value("select count(*) from spend_daily") == 2


@pytest.mark.parametrize(
    "damage",
    [
        "delete from spend_daily",
        "delete from spend_daily where campaign_id is not null",
        "update spend_daily set spent_usd = spent_usd + 1",
        "update spend_daily set campaign_id = null where campaign_id is not null",
    ],
)
def test_the_rollup_is_rebuilt_with_its_campaigns(books: Books, user: UUID, damage: str) -> None:
    campaign = new_campaign(books, user, clips=1)
    make(books, user, clips_of(books, campaign)[0])
    before = rollup(books, user)
    books.owner.execute(damage.encode())
    assert books.audit() != []
    books.call("rebuild_spend_daily")
    assert (rollup(books, user), books.audit()) == (before, [])
    assert books.call("rebuild_spend_daily") == []


def test_another_timezone_moves_the_days_of_campaigns_too(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=1)
    make(books, user, clips_of(books, campaign)[0])
    books.settle(books.submitted(user), completed())
    before = rollup(books, user)
    for timezone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        books.call("set_team_timezone", p_actor=books.admin, p_timezone=timezone)
        assert (rollup(books, user), books.audit()) == (before, [])


def test_spend_by_campaign_is_ones_own_and_everybodys_for_admins(books: Books, user: UUID) -> None:
    other = books.person()
    campaign = new_campaign(books, user, clips=1)
    make(books, user, clips_of(books, campaign)[0])
    books.settle(books.submitted(other), completed())
    period = {"p_from": DAY - timedelta(days=1), "p_to": DAY + timedelta(days=1)}
    mine = books.call("spend_by_campaign", p_actor=user, **period)
    assert [(row["name"], row["jobs"], row["credits"], row["spent"]) for row in mine] == [("Autumn", 1, 10, "0.150000")]
    everything = books.call("spend_by_campaign", p_actor=books.admin, **period)
    assert [(row["campaign_id"], row["spent"]) for row in everything] == [
        (str(campaign), "0.150000"),
        (None, "0.003000"),
    ]
