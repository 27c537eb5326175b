"""CSV that a spreadsheet opens as data, never as a formula."""

import csv
import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.csv_file import DANGEROUS, cell, csv_file


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_a_file_is_utf8_with_a_mark_and_crlf() -> None:
    data = csv_file(["Person", "Spent, USD"], [['Léa, "the" one', Decimal("12.500000")]])
    assert data.startswith(b'\xef\xbb\xbfPerson,"Spent, USD"\r\n')
    assert read(data) == [["Person", "Spent, USD"], ['Léa, "the" one', "12.500000"]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.000003"), "0.000003"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-5.00"), "-5.00"),
        (-3, "-3"),
        (None, ""),
        (True, "yes"),
        (date(2026, 11, 20), "2026-11-20"),
        (datetime(2026, 11, 20, 14, 31, tzinfo=UTC), "2026-11-20T14:31:00+00:00"),
        ("plain", "plain"),
        ("a = b", "a = b"),
    ],
)
def test_values_stand_as_they_are(value: Any, text: str) -> None:
    assert cell(value) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "=cmd|' /C calc'!A0"])
def test_text_that_would_run_is_disarmed(text: str) -> None:
    assert cell(text).startswith("'")
    assert cell(text).replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Sun;=1+1", "Sun;'=1+1"),
        ("Sun; =1+1", "Sun; '=1+1"),
        ("Sun\n=1+1", "Sun\n'=1+1"),
        ("Sun\r\n;\t@SUM(A1)", "Sun\r\n;\t'@SUM(A1)"),
        ("Sun;＝1", "Sun;'＝1"),
        ("one; two, -3 and a=b", "one; two, -3 and a=b"),
    ],
)
def test_text_that_would_run_where_semicolons_separate_is_disarmed(text: str, kept: str) -> None:
    """What Excel makes of our line in most of Europe: it splits at every semicolon and every line break."""
    assert cell(text) == kept
    line = csv_file(["Prompt"], [["before", text]]).decode("utf-8-sig").partition("\r\n")[2]
    split = [part.lstrip().strip('"') for part in re.split(r"[;\t\r\n]", line)]
    assert [part for part in split if part.startswith(("=", "@", "＝"))] == []


@given(rows=st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=10))
def test_no_cell_of_text_begins_a_formula_and_none_is_lost(rows: list[list[str]]) -> None:
    # What the reader of Python's own csv cannot tell apart in a file is a NUL; it is left out.
    texts = read(csv_file(["a", "b"], rows))[1:]
    assert len(texts) == len(rows)
    for shown, given_text in zip(
        (each for row in texts for each in row), (each for row in rows for each in row), strict=True
    ):
        assert not shown.lstrip().startswith(DANGEROUS)
        assert shown.replace("'", "") == given_text.replace("\x00", "").replace("'", "")
