"""What a chaos run does is decided by its seed, and its table says what was found."""

from collections import Counter

from local.chaos.__main__ import table
from local.chaos.checks import Check
from local.chaos.orders import MANY, Odds, Order, orders
from local.chaos.run import Outcome

USUAL = Odds()


def some(seed: int, jobs: int = 2000, odds: Odds = USUAL) -> list[Order]:
    return orders(seed, jobs, 8, "https://example.test/a.png", 0.5, odds)


def test_the_same_seed_gives_the_same_orders() -> None:
    assert some(7) == some(7)
    assert some(7) != some(8)


def test_every_job_has_an_id_of_its_own() -> None:
    made = some(1)
    ids = [order.job_id for order in made] + [order.retry_id for order in made if order.retry_id]
    assert len(set(ids)) == len(ids) > len(made)


def test_webhooks_are_lost_and_repeated_as_often_as_said() -> None:
    quirks = Counter(quirk for order in some(1) for quirk in order.quirks)
    assert 0.17 < quirks["lose"] / 2000 < 0.25
    assert 0.27 < quirks["repeat"] / 2000 < 0.33
    assert quirks["submit_timeout"] > 0
    assert {order.person for order in some(1)} == set(range(8))


def test_without_odds_nothing_happens() -> None:
    calm = Odds(*(0.0,) * len(Odds.__dataclass_fields__))
    assert not any(order.quirks or order.retry_id or order.cancel_after is not None for order in some(1, odds=calm))
    assert all("[sim:" not in order.inputs["prompt"] for order in some(1, odds=calm))


def test_a_short_run_waits_for_no_timeout() -> None:
    quirks = {quirk for seed in range(50) for order in some(seed, MANY - 1) for quirk in order.quirks}
    assert "submit_timeout" not in quirks
    assert "submit_reset" in quirks


def test_the_table_names_every_violation_and_the_seed() -> None:
    outcome = Outcome(seed=42, checks=[Check("all is well", 3, ()), Check("nothing is lost", 5, ("job 1 is lost",))])
    outcome.done["order: lose"] = 17
    assert outcome.violations == ["nothing is lost: job 1 is lost"]
    shown = table(outcome)
    for text in ("17  order: lose", "3  all is well: none violated", "1 VIOLATIONS", "job 1 is lost", "seed 42"):
        assert text in shown
