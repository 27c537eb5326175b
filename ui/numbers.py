"""The numbers of a chart: the same as a table, and as a file for a spreadsheet."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from core.csv_file import csv_file
from ui import session, words

_HIGHEST = 404  # pixels of a table that scrolls
_MOST = 10  # rows of one that does not
_USD, _DIME = ", USD", Decimal("0.1")

Rows = Sequence[Sequence[Any]]


def below(name: str, columns: Sequence[str], rows: Rows, *, file: str) -> None:
    """Under a chart, folded up: its numbers. `name` says what they are, `file` names the file without its ending."""
    with st.expander("Numbers", type="compact", key=f"numbers-{file}"):
        usd = dollars(value for row in rows for value in row)
        config = {
            "Day": st.column_config.DateColumn(format="D MMM YYYY"),
            **dict.fromkeys((column for column in columns if column.endswith(_USD)), usd),
        }
        table(columns, rows, file=file, alt=name, config=config, most=_MOST)


def dollars(amounts: Iterable[Any]) -> Any:
    """How the columns of a table show USD: in one format, with three decimals while every amount is below a dime."""
    largest = max((abs(amount) for amount in amounts if isinstance(amount, Decimal)), default=Decimal(0))
    return st.column_config.NumberColumn(format="$%.3f" if largest < _DIME else "$%.2f")


def table(
    columns: Sequence[str],
    rows: Rows,
    *,
    file: str,
    alt: str,
    config: Mapping[str, Any] | None = None,
    most: int | None = None,
) -> None:
    """Rows as a table that can be sorted, with its file below; beyond `most` rows it scrolls."""
    now, tz = session.now(), session.tz()
    st.dataframe(
        pd.DataFrame([[_sortable(value, now, tz) for value in row] for row in rows], columns=list(columns)),
        hide_index=True,
        height="content" if most is None or len(rows) <= most else _HIGHEST,
        row_height=40,
        key=f"table-{file}",
        placeholder="",
        alt=alt,
        column_config=dict(config or {}),
    )
    download(columns, rows, file=file)


def download(columns: Sequence[str], rows: Rows | Callable[[], Rows], *, file: str) -> None:
    """A button for the file. Rows that are costly to get are a function, called when the button is pressed."""

    def make() -> bytes:
        return csv_file(columns, rows() if callable(rows) else rows)

    st.download_button(
        "Download CSV",
        make,
        file_name=f"{file}.csv",
        mime="text/csv",
        type="tertiary",
        icon=":material/download:",
        on_click="ignore",
        key=f"csv-{file}",
    )


def _sortable(value: Any, now: datetime, tz: tzinfo) -> Any:
    if isinstance(value, Decimal):
        return float(value)  # to be shown: the file has it exactly
    return words.exact(value, now, tz) if isinstance(value, datetime) else value
