"""The rows that the catalogue starts with are what the code knows and what was asked for."""

from decimal import Decimal

import pytest

from core.catalog import GENERATION_TYPES, offer_from_row
from tests.database.books import Books
from tests.unit.catalog_strategies import ROWS


def test_every_type_of_the_code_has_one_row_and_is_sold(books: Books) -> None:
    rows = books.all("select * from generation_types")
    assert sorted(row["generation_type"] for row in rows) == sorted(GENERATION_TYPES)
    assert [row["position"] for row in sorted(rows, key=lambda row: row["position"])] == list(range(1, 14))
    assert all(row["enabled"] for row in rows)


@pytest.mark.parametrize("key", sorted(GENERATION_TYPES))
def test_a_row_says_what_its_entry_says(books: Books, key: str) -> None:
    row, known = books.one("select * from generation_types where generation_type = %s", key), GENERATION_TYPES[key]
    credits, credit_unit, price_unit, price = ROWS[key]
    assert (row["credits"], row["credit_unit"]) == (credits, credit_unit)
    assert (row["price_unit"], row["unit_price_usd"]) == (price_unit, Decimal(price))
    assert (row["label"], row["media_kind"], row["fal_endpoint"]) == (known.label, known.media, known.endpoint)
    assert row["estimated_seconds"] == known.expected_seconds
    assert offer_from_row(row).enabled
