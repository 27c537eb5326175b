"""The catalogue as admins keep it: what may be changed, what is told, and which job pays which price."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from psycopg.errors import CheckViolation

from tests.database.admin import last_line, trail
from tests.database.books import SCHNELL, Books, Row, completed, refused

OTHER = "image_hd"


def edit(books: Books, changes: Any, generation_type: str = SCHNELL, **more: Any) -> Row:
    edited: Row = books.call(
        "edit_generation_type", p_actor=books.admin, p_type=generation_type, p_changes=changes, **more
    )
    return edited


def price(books: Books, usd: str | None, **more: Any) -> Row:
    amount = Decimal(usd) if usd else None
    row: Row = books.call("set_unit_price", p_actor=books.admin, p_type=SCHNELL, p_price=amount, **more)
    return row


def fal_tells(books: Books, usd: str, **more: Any) -> Row:
    told = [{"endpoint_id": "fal-ai/flux/schnell", "unit_price": usd, "unit": "megapixels", "currency": "USD"}]
    result: Row = books.call("record_prices", p_prices=told, **more)
    return result


def row_of(books: Books, generation_type: str = SCHNELL) -> Row:
    return books.one("select * from generation_types where generation_type = %s", generation_type)


def test_an_edit_changes_what_is_given_and_tells_what_differs(books: Books) -> None:
    before = row_of(books)
    wanted = {"label": "  Flux · quick ", "credits": 3, "default_params": {"shape": "wide"}, "enabled": True}
    edited = edit(books, wanted, p_reason="Costs rose")
    assert (edited["label"], edited["credits"], edited["default_params"]) == ("Flux · quick", 3, {"shape": "wide"})
    after = row_of(books)
    untouched = set(before) - {"label", "credits", "default_params", "updated_at"}
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}
    line = last_line(books)
    assert (line["action"], line["target"], line["reason"]) == ("edit_generation_type", SCHNELL, "Costs rose")
    assert line["before"] == {"label": before["label"], "credits": 1, "default_params": {}}
    assert line["after"] == {"label": "Flux · quick", "credits": 3, "default_params": {"shape": "wide"}}
    with books.unchanged():
        edit(books, wanted)
        edit(books, {})


def test_a_type_is_switched_on_and_off(books: Books) -> None:
    user = books.person()
    books.owner.execute("update generation_types set enabled = false where generation_type = %s", (OTHER,))
    with refused(409, "TYPE_DISABLED"):
        books.create(user, generation_type=OTHER)
    edit(books, {"enabled": True}, OTHER)
    books.create(user, generation_type=OTHER)
    edit(books, {"enabled": False}, OTHER)
    with refused(409, "TYPE_DISABLED"):
        books.create(user, generation_type=OTHER)
    assert [line["after"] for line in trail(books, "edit_generation_type")] == [{"enabled": True}, {"enabled": False}]


def test_a_job_keeps_the_price_that_it_was_made_at(books: Books) -> None:
    user = books.person(10)
    before = books.submitted(user)
    edit(books, {"credits": 4})
    with refused(409, "PRICE_CHANGED") as refusal:
        books.create(user, expected_credits=1)
    assert refusal.detail == {"credits": 4}
    after = books.submitted(user)
    for job in (before, after):
        books.settle(job, completed())
    assert [books.job(job)["credits_charged"] for job in (before, after)] == [1, 4]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"label": ""}, "label"),
        ({"label": "   "}, "label"),
        ({"label": "x" * 81}, "label"),
        ({"label": "two\nlines"}, "label"),
        ({"label": 5}, "label"),
        ({"label": None}, "label"),
        ({"credits": 0}, "credits"),
        ({"credits": -1}, "credits"),
        ({"credits": 1.5}, "credits"),
        ({"credits": 100_001}, "credits"),
        ({"credits": 10**30}, "credits"),
        ({"credits": "5"}, "credits"),
        ({"credits": None}, "credits"),
        ({"default_params": []}, "default_params"),
        ({"default_params": {"text": "x" * 8000}}, "default_params"),
        ({"enabled": "yes"}, "enabled"),
        ({"enabled": None}, "enabled"),
        ({"unit_price_usd": 1}, "changes"),
        ({"fal_endpoint": "elsewhere"}, "changes"),
        ([], "changes"),
    ],
)
def test_what_makes_no_sense_is_refused_whole(books: Books, changes: Any, field: str) -> None:
    assert books.admin
    also_sound = changes | {"enabled": False} if isinstance(changes, dict) and "enabled" not in changes else changes
    with books.unchanged(), refused(422, "INVALID_INPUT") as refusal:
        edit(books, also_sound)
    assert refusal.detail == {"field": field}


def test_there_is_no_such_type(books: Books) -> None:
    arguments = {"p_actor": books.admin, "p_type": "image_of_nothing"}
    with books.unchanged():
        with refused(404, "NOT_FOUND"):
            books.call("edit_generation_type", **arguments, p_changes={"credits": 2})
        with refused(404, "NOT_FOUND"):
            books.call("set_unit_price", **arguments, p_price=Decimal(1))


def test_two_edits_at_once_both_count(books: Books) -> None:
    arguments = {"p_actor": books.admin, "p_type": SCHNELL}
    changes: tuple[Row, ...] = ({"credits": 2}, {"label": "New"}, {"enabled": False})
    books.race(*[("edit_generation_type", arguments | {"p_changes": each}) for each in changes])
    row = row_of(books)
    assert (row["credits"], row["label"], row["enabled"]) == (2, "New", False)
    assert len(trail(books, "edit_generation_type")) == 3


# A price by hand


def test_a_price_by_hand_stays_until_it_is_handed_back(books: Books) -> None:
    row = price(books, "0.004", p_reason="Invoice says so")
    assert (row["unit_price_usd"], row["price_source"]) == ("0.004000", "manual")
    assert last_line(books)["before"] == {"unit_price_usd": "0.003000", "price_source": "documented"}
    assert last_line(books)["after"] == {"unit_price_usd": "0.004000", "price_source": "manual"}
    fal_tells(books, "0.005")
    assert row_of(books)["unit_price_usd"] == Decimal("0.004")
    row = price(books, None)
    assert (row["unit_price_usd"], row["price_source"]) == ("0.004000", "documented")
    fal_tells(books, "0.005")
    row = row_of(books)
    assert (row["unit_price_usd"], row["price_source"]) == (Decimal("0.005"), "synced")
    with books.unchanged():
        price(books, None)


def test_the_price_as_it_is_can_be_pinned(books: Books) -> None:
    assert price(books, "0.003")["price_source"] == "manual"
    with books.unchanged():
        price(books, "0.003")


@pytest.mark.parametrize("usd", ["0", "-0.01", "1000", "0.0000001", "NaN", "Infinity"])
def test_a_price_is_above_zero_and_not_absurd(books: Books, usd: str) -> None:
    assert books.admin
    with books.unchanged(), refused(422, "INVALID_INPUT"):
        price(books, usd)


def test_not_even_the_superuser_sells_for_nothing(books: Books) -> None:
    for change in ("credits = 0", "unit_price_usd = 0", "credits = -2"):
        with pytest.raises(CheckViolation):
            books.owner.execute(f"update generation_types set {change}".encode())


# The history


def test_the_history_tells_edits_prices_by_hand_and_synced_ones(books: Books) -> None:
    edit(books, {"credits": 2}, p_reason="Dearer")
    price(books, "0.004")
    price(books, None)
    fal_tells(books, "0.005")
    edit(books, {"label": "Finest"}, OTHER)
    history = books.call("catalogue_history", p_actor=books.admin)
    told = [(row["generation_type"], row["action"], row["actor_name"]) for row in history]
    assert told == [
        (OTHER, "edit_generation_type", "The Admin"),
        (SCHNELL, "sync_prices", None),
        (SCHNELL, "set_unit_price", "The Admin"),
        (SCHNELL, "set_unit_price", "The Admin"),
        (SCHNELL, "edit_generation_type", "The Admin"),
    ]
    assert (history[1]["before"], history[1]["after"]) == (
        {"unit_price_usd": "0.004000"},
        {"unit_price_usd": "0.005000"},
    )
    assert (history[4]["before"], history[4]["after"], history[4]["reason"]) == (
        {"credits": 1},
        {"credits": 2},
        "Dearer",
    )
    only = books.call("catalogue_history", p_actor=books.admin, p_type=OTHER)
    assert [row["generation_type"] for row in only] == [OTHER]
    assert len(books.call("catalogue_history", p_actor=books.admin, p_limit=2)) == 2


def test_an_edit_does_not_wait_for_jobs_that_are_being_created(books: Books) -> None:
    """Creating a job refers to its type: that lock and the one of an edit go together."""
    user = books.person()
    assert isinstance(user, UUID)
    with books.holding("select from generation_types where generation_type = %s for key share", SCHNELL):
        edit(books, {"credits": 2})
    assert row_of(books)["credits"] == 2
