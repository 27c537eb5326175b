"""The chores against a simulated fal.ai: balance, confirmed costs, drift, prices, alerts; and the pages' functions."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from core import alerts, billing, budget, chores, fal_account, limits, offers, prices, rebuild, spend
from core.burn_down import burn_down
from core.csv_file import csv_file
from core.errors import InvalidInput, LimitReached, NotAllowed
from core.fal.platform import FalPlatform
from core.forecast import NoForecast, forecast
from core.models import Person
from core.periods import Period
from core.series import stacked
from core.settings import get_settings
from tests.database.books import completed, creation
from tests.integration.billing_stack import Receiver, Studio, receiving
from tests.integration.billing_stack import billing_stack as billing_stack  # fixtures of this file alone
from tests.integration.billing_stack import studio_fixture as studio_fixture

WORKER = "worker"


@pytest.fixture
def admin(studio: Studio) -> Person:
    return studio.as_person(studio.books.admin)


def run(studio: Studio, *names: str) -> None:
    """These chores are due, and a worker comes by; the others are not."""
    studio.books.owner.execute(
        "insert into private.chores (name) select unnest(%s::text[]) on conflict do nothing", (list(names),)
    )
    others = [chore.name for chore in chores.CHORES if chore.name not in names]
    studio.books.owner.execute(
        "insert into private.chores (name, due_at) select unnest(%s::text[]), now() + interval '1 day'"
        " on conflict (name) do update set due_at = excluded.due_at",
        (others,),
    )
    studio.due_now(*names)
    assert chores.run_due(WORKER) == len(names)


def state(admin: Person, name: str) -> chores.ChoreState:
    return next(state for state in chores.states(admin) if state.name == name)


def today(studio: Studio) -> Period:
    day = studio.books.value("select private.team_day(now())")
    return Period(day, day)


# The balance


def test_the_balance_is_read_and_follows_fal(studio: Studio, admin: Person) -> None:
    studio.control("behaviour", balance="43.21")
    run(studio, "balance")
    found = budget.overview(admin)
    assert found.team is not None
    assert (found.team.remaining, found.team_source) == (Decimal("43.21"), "fal")
    assert state(admin, "balance").facts == {"balance": "43.21", "recorded": True}
    studio.control("foreign", endpoint_id="fal-ai/flux/dev", quantity="100")
    run(studio, "balance")
    assert budget.summary(admin).remaining == Decimal("40.71")
    assert budget.summary(admin).amount == Decimal("43.21")
    run(studio, "balance")
    assert state(admin, "balance").facts["recorded"] is False


@pytest.mark.parametrize(
    ("key", "words"), [("FAL_KEY", "is an ordinary key"), ("wrong:wrong", "does not accept the key in FAL_ADMIN_KEY")]
)
def test_a_key_that_may_not_is_said_plainly(studio: Studio, admin: Person, key: str, words: str) -> None:
    budget.set_balance(admin, "12.34")
    studio.configure(FAL_ADMIN_KEY=studio.stack.environment.get(key, key))
    run(studio, "balance", "billing", "usage")
    for name in ("balance", "billing", "usage"):
        if name == "billing":
            assert state(admin, name).last_error is None, "there was nothing to ask about"
        else:
            assert words in (state(admin, name).last_error or "")
    assert budget.summary(admin).remaining == Decimal("12.34")
    studio.configure(FAL_ADMIN_KEY=studio.stack.environment["FAL_ADMIN_KEY"])
    run(studio, "balance")
    assert (state(admin, "balance").last_error, state(admin, "balance").failures) == (None, 0)


def test_without_an_admin_key_its_chores_are_not_there(studio: Studio, admin: Person) -> None:
    run(studio, "balance")
    studio.configure(FAL_ADMIN_KEY="")
    assert "balance" not in chores.enabled()
    assert "balance" not in {state.name for state in chores.states(admin)}


def test_an_outage_is_told_and_got_over(studio: Studio, admin: Person) -> None:
    job = studio.run_at_fal(studio.books.person())
    studio.control("behaviour", outage=True)
    for failures in (1, 2):
        run(studio, "balance", "billing", "usage", "prices")
        for name in ("balance", "billing", "usage", "prices"):
            assert "503" in (state(admin, name).last_error or "")
            assert state(admin, name).failures == failures
    assert studio.books.job(job)["cost_source"] == "estimated"
    studio.control("behaviour", outage=False)
    run(studio, "balance", "billing", "usage", "prices")
    assert [state(admin, name).last_error for name in ("balance", "billing", "usage", "prices")] == [None] * 4
    assert studio.books.job(job)["cost_source"] == "confirmed"


def test_a_fal_that_asks_to_slow_down_is_asked_later(studio: Studio, admin: Person) -> None:
    job = studio.run_at_fal(studio.books.person())
    asking = ("balance", "billing", "usage", "prices")
    answer = httpx.MockTransport(
        lambda _: httpx.Response(429, json={"error": {"type": "rate_limited", "message": "."}})
    )
    with httpx.Client(transport=answer) as http:
        busy = FalPlatform(get_settings(), http)
        with studio.monkeypatch.context() as patch:
            for module in (billing, prices):
                patch.setattr(module, "get_account", lambda: busy)
            run(studio, *asking)
    for name in asking:
        assert "asks to be asked less often (429)" in (state(admin, name).last_error or "")
    assert studio.books.job(job)["confirm_due_at"] is not None
    run(studio, *asking)
    assert [state(admin, name).last_error for name in asking] == [None] * 4
    assert studio.books.job(job)["cost_source"] == "confirmed"


def test_what_nobody_expected_is_kept_and_stops_nothing(studio: Studio, admin: Person) -> None:
    def stumble(_worker: str) -> dict[str, Any]:
        raise ValueError("a secret detail")

    others = [chore for chore in chores.CHORES if chore.name != "balance"]
    stumbling = chores.Chore("balance", "Balance at fal.ai", 60, stumble, "FAL_ADMIN_KEY")
    studio.monkeypatch.setattr(chores, "CHORES", (stumbling, *others))
    run(studio, "balance", "learning")
    assert state(admin, "balance").last_error == "Something unexpected went wrong (ValueError); the log says what."
    assert state(admin, "learning").last_error is None
    assert chores.hurry(admin, "balance") is True
    with pytest.raises(NotAllowed):
        chores.hurry(studio.as_person(studio.books.person()), "balance")


# Confirmed costs


def test_costs_are_confirmed_by_fals_billing_events(studio: Studio, admin: Person) -> None:
    user = studio.books.person()
    jobs = [studio.run_at_fal(user, units=Decimal(5)) for _ in range(3)]
    assert studio.books.spent(user) == Decimal("0.045")
    studio.control("behaviour", billing_lag_s=3600)
    run(studio, "billing")
    assert state(admin, "billing").facts == {"confirmed": 0, "waiting": 3}
    studio.control("behaviour", billing_lag_s=0)
    run(studio, "billing")
    assert state(admin, "billing").facts == {"confirmed": 3, "waiting": 0}
    assert {studio.books.job(job)["cost_source"] for job in jobs} == {"confirmed"}
    billed = Decimal(studio.fal.get("/_sim/state").json()["billed_usd"])
    assert studio.books.spent(user) == billed == Decimal("0.018")
    run(studio, "billing")
    assert state(admin, "billing").facts == {"confirmed": 0, "waiting": 0}


def test_more_jobs_than_one_call_may_name_are_confirmed(studio: Studio) -> None:
    user = studio.books.person(1000)
    job = studio.run_at_fal(user)
    others = []  # fal.ai has billed nothing for these
    for _ in range(60):
        others.append(studio.books.submitted(user))
        studio.books.settle(others[-1], completed())
    run(studio, "billing")
    assert studio.books.job(job)["cost_source"] == "confirmed"
    assert {studio.books.job(other)["confirm_tries"] for other in others} == {1}


def test_a_job_that_was_billed_days_ago_is_confirmed(studio: Studio) -> None:
    (request,) = studio.control("foreign", endpoint_id="fal-ai/flux/schnell", ago_s=3 * 86_400)["request_ids"]
    job = studio.books.create(studio.books.person(), units=Decimal(5))
    assert studio.books.begin(job)
    studio.books.accept(job, p_request_id=request)
    studio.books.settle(job, completed())
    run(studio, "billing")
    row = studio.books.job(job)
    assert (row["cost_source"], row["spent_usd"]) == ("confirmed", Decimal("0.003"))


# Drift


def test_a_day_of_usage_is_the_teams_to_the_minute(studio: Studio, admin: Person) -> None:
    """Midnight in Kathmandu is a quarter past an hour of UTC."""
    studio.monkeypatch.setattr(billing, "SETTLED", timedelta(0))
    limits.set_timezone(admin, "Asia/Kathmandu")
    try:
        since = studio.books.value(
            "select extract(epoch from now() - private.team_day_start(private.team_day(now())))::float8"
        )
        for ago in (since + 300, max(since - 300, 0)):
            studio.control("foreign", endpoint_id="fal-ai/flux/dev", ago_s=str(ago))
        run(studio, "usage")
        (row,) = [row for row in billing.drift(admin, today(studio)) if row.endpoint == "fal-ai/flux/dev"]
        assert (row.fal, row.foreign_requests) == (Decimal("0.025"), 1), "what was billed five minutes before it"
    finally:
        limits.set_timezone(admin, "UTC")


def test_requests_made_elsewhere_are_the_drift(studio: Studio, admin: Person) -> None:
    studio.monkeypatch.setattr(billing, "SETTLED", timedelta(0))
    studio.run_at_fal(studio.books.person())
    run(studio, "billing", "usage")
    before = {row.endpoint: row for row in billing.drift(admin, today(studio))}
    made = studio.control("foreign", endpoint_id="fal-ai/flux/dev", count=3, quantity="2")["request_ids"]
    run(studio, "usage")
    assert state(admin, "usage").facts["foreign"] == 3
    row = {row.endpoint: row for row in billing.drift(admin, today(studio))}["fal-ai/flux/dev"]
    assert (row.ours, row.fal, row.drift, row.foreign, row.foreign_requests) == (
        Decimal(0),
        Decimal("0.15"),
        Decimal("0.15"),
        Decimal("0.15"),
        3,
    )
    listed = billing.foreign_charges(admin, today(studio))
    assert set(made) <= {charge.request_id for charge in listed}
    assert {charge.usd for charge in listed if charge.request_id in made} == {Decimal("0.05")}
    ours = before["fal-ai/flux/schnell"]
    assert ours.foreign_requests == 0
    run(studio, "usage")
    assert [row.drift for row in billing.drift(admin, today(studio)) if row.endpoint == "fal-ai/flux/dev"] == [
        Decimal("0.15")
    ]
    with pytest.raises(NotAllowed):
        billing.drift(studio.as_person(studio.books.person()), today(studio))


def test_the_present_day_is_read_as_far_as_fal_can_know_it(studio: Studio, admin: Person) -> None:
    """What was charged a moment ago may not be in fal.ai's books yet: neither side counts it."""
    studio.control("foreign", endpoint_id="fal-ai/trellis")
    job = studio.run_at_fal(studio.books.person())
    run(studio, "usage")
    found = {row.endpoint: row for row in billing.drift(admin, today(studio))}
    assert "fal-ai/trellis" not in found
    assert job not in {row.job_id for row in billing.unbilled_jobs(admin, today(studio))}
    studio.monkeypatch.setattr(billing, "SETTLED", timedelta(0))
    run(studio, "usage")
    found = {row.endpoint: row for row in billing.drift(admin, today(studio))}
    assert found["fal-ai/trellis"].foreign_requests == 1
    assert found["fal-ai/trellis"].until is not None
    assert job in {row.job_id for row in billing.unbilled_jobs(admin, today(studio))}
    run(studio, "billing")
    assert job not in {row.job_id for row in billing.unbilled_jobs(admin, today(studio))}


def test_the_account_is_let_go_of(studio: Studio, admin: Person) -> None:
    studio.books.owner.execute("update private.provider_state set account_id = 'ours' where provider = 'fal'")
    assert (fal_account.forget(admin, "another"), fal_account.pinned(admin)) == (False, "ours")
    assert (fal_account.forget(admin, "ours"), fal_account.pinned(admin)) == (True, None)
    with pytest.raises(NotAllowed):
        fal_account.pinned(studio.as_person(studio.books.person()))


# Prices


def test_prices_are_brought_to_fals(studio: Studio, admin: Person) -> None:
    studio.books.owner.execute(
        "update generation_types set unit_price_usd = 9, price_source = 'synced'"
        " where generation_type = 'image_flux_dev'"
    )
    offers.forget()
    assert offers.offers()["image_flux_dev"].unit_price_usd == 9
    found = prices.sync(admin)
    assert found.changed == ("Flux Dev · finer detail",)
    assert found.problems == ()
    assert offers.offers()["image_flux_dev"].unit_price_usd == Decimal("0.025")
    newest = prices.history(admin)[0]
    assert (newest.before, newest.after, newest.source) == (Decimal(9), Decimal("0.025"), "synced")
    run(studio, "prices")
    assert state(admin, "prices").facts["changed"] == []
    with pytest.raises(NotAllowed):
        prices.sync(studio.as_person(studio.books.person()))


def test_a_retired_endpoint_does_not_keep_the_other_prices_away(studio: Studio, admin: Person) -> None:
    real = FalPlatform.pricing
    studio.monkeypatch.setattr(
        FalPlatform,
        "pricing",
        lambda self, endpoints: real(
            self, [f"{name}-retired" if name == "fal-ai/trellis" else name for name in endpoints]
        ),
    )
    found = prices.sync(admin)
    assert [problem.partition(":")[0] for problem in found.problems] == ["Trellis · model from a picture"]
    assert found.same + len(found.changed) == len(offers.offers()) - 1


# Alerts


@pytest.fixture
def receiver(studio: Studio) -> Iterator[Receiver]:
    with receiving() as made:
        studio.configure(ALERT_WEBHOOK_URL=made.url)
        studio.books.owner.execute(
            "update budget_alerts set delivery = 'none', next_try_at = null where delivery = 'waiting'"
        )
        yield made


def spend_dollars(studio: Studio, user: UUID, usd: str) -> None:
    job = studio.books.submitted(user, units=Decimal(usd), unit_price_usd=Decimal(1))
    studio.books.settle(job, completed())


def test_an_alert_is_posted_once_however_many_workers_run(studio: Studio, admin: Person, receiver: Receiver) -> None:
    budget.set_balance(admin, "10")
    spend_dollars(studio, studio.books.person(), "8")
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            list(pool.map(alerts.raise_and_deliver, [f"worker {number}" for number in range(4)]))
    assert sorted(message["text"] for message in receiver.messages) == [
        "25% of the team's budget or less is left: $2.00 of $10.00.",
        "50% of the team's budget or less is left: $2.00 of $10.00.",
    ]
    shown = [alert for alert in alerts.current(admin) if alert.kind == "team_balance"]
    assert {(alert.threshold, alert.delivery) for alert in shown} == {(25, "sent"), (50, "sent")}


def test_a_new_person_is_posted_once_by_a_name_that_commands_nothing(studio: Studio, receiver: Receiver) -> None:
    studio.books.sign_up(full_name="Eve <!channel>")
    for _ in range(2):
        run(studio, "alerts")
    told = [message["text"] for message in receiver.messages]
    assert told == ["Eve &lt;!channel&gt; has signed up and waits for approval."]


def test_an_alert_that_is_not_taken_is_posted_again(studio: Studio, receiver: Receiver) -> None:
    user = studio.books.person(cap="10")
    spend_dollars(studio, user, "9")
    receiver.statuses[:] = [500, 429]
    for tries in (1, 2, 3):
        run(studio, "alerts")
        assert len(receiver.messages) == tries
    (alert,) = alerts.current(studio.as_person(user))
    assert (alert.delivery, alert.last_error) == ("sent", None)
    assert {message["text"] for message in receiver.messages} == {
        "Somebody has used 80% of this month's limit: $9.00 of $10.00 is spent."
    }
    run(studio, "alerts")
    assert len(receiver.messages) == 3


def test_an_address_that_is_away_is_named_without_its_secret(studio: Studio, admin: Person, receiver: Receiver) -> None:
    studio.configure(ALERT_WEBHOOK_URL="http://127.0.0.1:1/services/secret-part")
    budget.set_balance(admin, "1")
    spend_dollars(studio, studio.books.person(), "1")
    run(studio, "alerts")
    (alert,) = [alert for alert in alerts.current(admin) if alert.threshold == 0]
    assert alert.delivery == "waiting"
    assert alert.last_error == "The address for alerts could not be reached (ConnectError)."
    studio.configure(ALERT_WEBHOOK_URL=receiver.url)
    run(studio, "alerts")
    assert len(receiver.messages) == 4


def test_a_new_person_is_told_of_once(studio: Studio, receiver: Receiver) -> None:
    stranger = studio.books.sign_up(full_name="<!here> Eve")
    for _ in range(2):
        run(studio, "alerts")
    assert [message["text"] for message in receiver.messages] == [
        "&lt;!here&gt; Eve has signed up and waits for approval."
    ]
    studio.books.call("decline_person", p_actor=studio.books.admin, p_user=stranger)


# What the pages call


def test_a_balance_is_set_corrected_and_cleared(studio: Studio, admin: Person) -> None:
    assert budget.set_balance(admin, Decimal("50.00")).remaining == 50
    for amount in ("fifty", "", "NaN", "Infinity", "-1", "1.001"):
        with pytest.raises(InvalidInput) as caught:
            budget.set_balance(admin, amount)
        assert caught.value.field == "amount"
    assert budget.clear_balance(admin).remaining is None
    newest = budget.entries(admin, limit=2)
    assert [(entry.amount, entry.actor_name) for entry in newest] == [(None, "The Admin"), (Decimal(50), "The Admin")]
    user = studio.as_person(studio.books.person())
    with pytest.raises(NotAllowed):
        budget.set_balance(user, "1")
    budget.set_own_balance(user, "7.50")
    assert budget.overview(user).own == budget.summary(user)
    assert budget.clear_own_balance(user).amount is None


def test_money_is_exact_from_the_field_to_the_header(studio: Studio) -> None:
    """As floats 0.1 + 0.2 is not 0.3, and something would be left."""
    user = studio.as_person(studio.books.person())
    budget.set_own_balance(user, "0.30")
    spend_dollars(studio, user.user_id, "0.1")
    spend_dollars(studio, user.user_id, "0.2")
    found = budget.summary(user)
    assert (found.amount, found.spent, found.remaining) == (Decimal("0.30"), Decimal("0.30"), Decimal(0))
    spend_dollars(studio, user.user_id, "0.000001")
    assert budget.summary(user).remaining == Decimal("-0.000001")
    report = spend.report(user, today(studio))
    amounts = [report.totals.spent, report.by_day[0].spent, report.by_type[0].estimated, report.by_person[0].this_month]
    line = burn_down(user, today(studio), "person")
    assert {type(amount) for amount in (*amounts, line.days[-1].spent, line.days[-1].left)} == {Decimal}
    assert csv_file(["Spent"], [[amount] for amount in amounts]).decode("utf-8-sig").split() == [
        "Spent",
        *["0.300001"] * 4,
    ]


def test_limits_are_set_and_felt(studio: Studio, admin: Person) -> None:
    user = studio.books.person()
    month = limits.set_monthly_cap(admin, user, "0.01")
    assert (month.cap, month.left) == (Decimal("0.01"), Decimal("0.01"))
    with pytest.raises(LimitReached, match=r"monthly limit of \$0\.010"):
        billing.get_database().call("create_job", **creation(user, units=Decimal(50)))
    assert limits.set_monthly_cap(admin, user, None).cap is None
    limits.set_block_at_zero(admin, True)
    assert budget.overview(admin).block_at_zero is True
    limits.set_block_at_zero(admin, False)
    limits.set_timezone(admin, "Europe/Paris")
    assert budget.overview(admin).timezone == "Europe/Paris"
    limits.set_timezone(admin, "UTC")
    with pytest.raises(InvalidInput):
        limits.set_timezone(admin, "Mars/Olympus")


def test_a_report_a_burn_down_and_a_forecast(studio: Studio, admin: Person) -> None:
    user = studio.as_person(studio.books.person())
    spend_dollars(studio, user.user_id, "1.5")
    found = spend.report(user, today(studio))
    assert (found.everybody, found.totals.spent, found.totals.jobs) == (False, Decimal("1.5"), 1)
    assert [series.total for series in stacked(found.by_day, today(studio))] == [Decimal("1.5")]
    assert [person.name for person in found.by_person] == ["Somebody"]
    assert spend.report(admin, today(studio), by="person").everybody is True
    (other,) = spend.by_campaign(user, today(studio))
    assert (other.label, other.spent) == ("No campaign", Decimal("1.5"))
    (of_day,) = spend.report(user, today(studio), by="campaign").by_day
    assert (of_day.label, of_day.spent) == ("No campaign", Decimal("1.5"))
    budget.set_own_balance(user, "10")
    spend_dollars(studio, user.user_id, "0.5")
    line = burn_down(user, today(studio), "person")
    assert (line.days[-1].left, line.balances[-1].amount) == (Decimal("9.5"), Decimal(10))
    result = forecast(Decimal("9.5"), {day.day: day.spent for day in line.days}, line.today)
    assert isinstance(result, NoForecast)
    with pytest.raises(NotAllowed):
        burn_down(user, today(studio), "team")


def test_the_rebuild_command(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    user = studio.books.person()
    spend_dollars(studio, user, "1.5")
    assert rebuild.main() == 0
    assert capsys.readouterr().out == "No difference.\n"
    studio.books.owner.execute("update spend_daily set spent_usd = 0 where user_id = %s", (user,))
    assert rebuild.main() == 1
    assert "1 rows were wrong and are corrected." in capsys.readouterr().out
    assert rebuild.main() == 0


# The thread


def test_chores_of_two_workers_run_side_by_side(studio: Studio, admin: Person) -> None:
    studio.control("behaviour", balance="31.00")
    studio.monkeypatch.setattr(chores, "TICK_SECONDS", 0.05)
    studio.books.owner.execute("delete from private.chores")
    runs: list[str] = []
    counted = tuple(
        chores.Chore(chore.name, chore.label, 3600, _counting(chore.run, chore.name, runs), chore.key_name)
        for chore in chores.enabled().values()
    )
    studio.monkeypatch.setattr(chores, "CHORES", counted)
    workers = [chores.Chores(f"worker {number}") for number in range(2)]
    for worker in workers:
        worker.start()
    deadline = time.monotonic() + 90
    try:
        while studio.books.value("select count(*) from private.chores where last_ok_at is not null") < len(counted):
            assert time.monotonic() < deadline, chores.states(admin)
            time.sleep(0.05)
    finally:
        for worker in workers:
            worker.stop()
    assert sorted(runs) == sorted(chore.name for chore in counted)
    assert budget.summary(admin).remaining == Decimal(31)


def _counting(work: Any, name: str, runs: list[str]) -> Any:
    def run_counted(worker: str) -> Any:
        runs.append(name)
        return work(worker)

    return run_counted
