"""Prices follow fal.ai, leave a line for every change, and never touch a job; usual times and sizes are learnt."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import InsufficientPrivilege

from tests.database.books import SCHNELL, Books, completed, refused
from tests.database.budgets import violations

ENDPOINT = "fal-ai/flux/schnell"
WHISPER = "transcribe_whisper"


def told(price: str, *, unit: str = "megapixels", endpoint: str = ENDPOINT, currency: str = "USD") -> dict[str, Any]:
    return {"endpoint_id": endpoint, "unit_price": price, "unit": unit, "currency": currency}


def record(books: Books, *prices: dict[str, Any], actor: UUID | None = None) -> Any:
    return books.call("record_prices", p_prices=list(prices), p_actor=actor)


def problem(result: Any, label: str = "Flux Schnell · fast draft") -> str | None:
    return next((row["problem"] for row in result["problems"] if row["label"] == label), None)


def changes(books: Books) -> list[Any]:
    rows = books.all("select * from price_changes order by id")
    return [(row["generation_type"], row["before_usd"], row["after_usd"], row["source"]) for row in rows]


def price_of(books: Books, generation_type: str = SCHNELL) -> Decimal:
    price: Decimal = books.value(
        "select unit_price_usd from generation_types where generation_type = %s", generation_type
    )
    return price


def test_a_changed_price_is_taken_and_logged(books: Books) -> None:
    result = record(books, told("0.004"))
    assert result["changed"] == [
        {
            "generation_type": SCHNELL,
            "label": "Flux Schnell · fast draft",
            "unit": "megapixels",
            "before": "0.003000",
            "after": "0.004000",
        }
    ]
    assert changes(books) == [(SCHNELL, Decimal("0.003"), Decimal("0.004"), "synced")]
    row = books.one("select price_source, price_synced_at from generation_types where generation_type = %s", SCHNELL)
    assert (row["price_source"], row["price_synced_at"] is not None) == ("synced", True)
    assert violations(books) == []


def test_the_same_price_again_is_no_change(books: Books) -> None:
    result = record(books, told("0.0030"))
    assert (result["changed"], result["same"], changes(books)) == ([], 1, [])


def test_jobs_keep_the_price_they_were_made_at(books: Books) -> None:
    job = books.submitted(books.person(), units=Decimal(2), unit_price_usd=Decimal("0.003"))
    before = books.job(job)
    record(books, told("0.3"))
    assert books.job(job) == before
    books.settle(job, completed("2"))
    assert books.job(job)["spent_usd"] == Decimal("0.006")


@pytest.mark.parametrize("unit", ["megapixel", "Megapixels"])
def test_a_unit_may_be_written_otherwise(books: Books, unit: str) -> None:
    record(books, told("0.004", unit=unit))
    assert price_of(books) == Decimal("0.004")


@pytest.mark.parametrize(
    ("price", "word"),
    [
        (told("0.004", unit="images"), 'per "images"'),
        (told("0.004", currency="EUR"), "in EUR"),
        (told("0"), "cannot be"),
        (told("-1"), "cannot be"),
        (told("0.0000001"), "cannot be"),
        (told("5000"), "cannot be"),
    ],
)
def test_a_price_that_cannot_be_taken_leaves_the_old_one(books: Books, price: dict[str, Any], word: str) -> None:
    result = record(books, price)
    assert word in (problem(result) or "")
    assert (price_of(books), changes(books), result["changed"]) == (Decimal("0.003"), [], [])


def test_a_type_that_fal_does_not_price_is_named(books: Books) -> None:
    result = record(books)
    assert len(result["problems"]) == len(books.all("select 1 from generation_types"))
    assert problem(result) == "fal.ai tells no price for it."


def test_a_price_set_by_hand_stays(books: Books) -> None:
    books.owner.execute(
        "update generation_types set unit_price_usd = 0.005, price_source = 'manual' where generation_type = %s",
        (SCHNELL,),
    )
    result = record(books, told("0.003"))
    assert problem(result) == "the price was set by hand (0.005) and stays; fal.ai says 0.003."
    assert (price_of(books), record(books, told("0.005"))["same"]) == (Decimal("0.005"), 1)


def test_no_price_changes_without_a_line_whoever_changes_it(books: Books) -> None:
    books.owner.execute("update generation_types set unit_price_usd = 0.5, price_source = 'manual' where position = 1")
    books.owner.execute("update generation_types set enabled = false where position = 1")
    assert changes(books) == [(SCHNELL, Decimal("0.003"), Decimal("0.5"), "manual")]
    with pytest.raises(InsufficientPrivilege, match="append-only"):
        books.owner.execute("update price_changes set after_usd = 1")
    with pytest.raises(InsufficientPrivilege, match="append-only"):
        books.owner.execute("delete from price_changes")


def test_many_syncs_at_once_log_a_change_once(books: Books) -> None:
    books.race(*[("record_prices", {"p_prices": [told("0.004")]}) for _ in range(6)])
    assert len(changes(books)) == 1
    assert violations(books) == []


def test_the_button_is_for_admins_and_on_the_trail(books: Books) -> None:
    for actor in (books.person(), uuid4()):
        with books.unchanged(), refused(403, "NOT_ALLOWED"):
            record(books, told("0.004"), actor=actor)
        with refused(403, "NOT_ALLOWED"):
            books.call("price_history", p_actor=actor)
    record(books, told("0.004"), actor=books.admin)
    assert books.one("select actor from admin_actions where action = 'sync_prices'")["actor"] == books.admin
    (line,) = books.call("price_history", p_actor=books.admin)
    assert (line["before"], line["after"], line["unit"]) == ("0.003000", "0.004000", "megapixels")


# Learning


def run(books: Books, user: UUID, seconds: float, units: str | None, *, failing: bool = False) -> None:
    """A whisper run that took this long."""
    job = books.submitted(user, generation_type=WHISPER)
    verdict = (
        completed(units) if not failing else {"outcome": "failed", "error_type": "x", "error_message": "It failed."}
    )
    books.settle(job, verdict)
    with books.owner.transaction():
        books.owner.execute("set local session_replication_role = replica")
        books.owner.execute(
            "update generation_jobs set submitted_at = completed_at - make_interval(secs => %s) where id = %s",
            (seconds, job),
        )


def learnt(books: Books) -> tuple[int, Decimal | None]:
    books.call("learn_from_history", p_runs=7, p_at_least=3)
    row = books.one("select * from generation_types where generation_type = %s", WHISPER)
    return row["estimated_seconds"], row["average_units"]


@pytest.fixture
def hearer(books: Books) -> UUID:
    books.owner.execute("update generation_types set enabled = true")
    return books.person(1000)


def test_too_few_runs_teach_nothing(books: Books, hearer: UUID) -> None:
    run(books, hearer, 90, "20")
    run(books, hearer, 90, "20")
    assert learnt(books) == (30, None)
    assert books.call("learn_from_history") == []


def test_the_usual_run_is_the_median_of_the_latest(books: Books, hearer: UUID) -> None:
    for seconds, units in ((10, "5"), (12.4, "6.25"), (4000, "900")):
        run(books, hearer, seconds, units)
    assert learnt(books) == (13, Decimal("6.25"))
    for _ in range(7):
        run(books, hearer, 60, "30")
    assert learnt(books) == (60, Decimal(30))


def test_failures_and_unknown_units_teach_nothing(books: Books, hearer: UUID) -> None:
    for _ in range(4):
        run(books, hearer, 500, None, failing=True)
    for _ in range(3):
        run(books, hearer, 20, None)
    assert learnt(books) == (20, None)


def test_a_run_takes_at_least_a_second(books: Books, hearer: UUID) -> None:
    for _ in range(3):
        run(books, hearer, 0, "1")
    assert learnt(books)[0] == 1
