"""The chores against a simulated fal.ai: balance, confirmed costs, drift, prices, alerts; and the pages' functions."""

import time
from decimal import Decimal
from typing import Any

import httpx
import pytest

from core import billing, budget, chores, prices
from core.errors import NotAllowed
from core.fal.platform import FalPlatform
from core.models import Person
from core.settings import get_settings
from tests.database.books import completed
from tests.integration.billing_stack import Studio
from tests.integration.billing_stack import billing_stack as billing_stack  # fixtures of this file alone
from tests.integration.billing_stack import studio_fixture as studio_fixture
from tests.integration.chores import (
    admin_fixture,  # noqa: F401
    run,
    state,
)


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
