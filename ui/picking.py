"""A table in which a click on a row opens it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

Row = TypeVar("Row")


def table(
    frame: pd.DataFrame,
    rows: Sequence[Row],
    pick: Callable[[Row], object],
    *,
    key: str,
    alt: str,
    config: Mapping[str, Any] | None = None,
) -> None:
    """`frame` has a line for each of `rows`, in the same order; clicking any cell of one calls `pick` with its row, as
    a callback. `config` is Streamlit's, by column."""

    def picked() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        if cells:
            pick(rows[cells[0][0]])

    st.dataframe(
        frame,
        hide_index=True,
        height="content",
        row_height=40,
        key=key,
        on_select=picked,
        selection_mode="single-cell",
        placeholder="",
        alt=alt,
        column_config=dict(config or {}),
    )
