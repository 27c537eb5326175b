"""A table as a CSV file that Excel, Numbers and Sheets open as it is meant.

Text that a spreadsheet would run as a formula is disarmed with an apostrophe, as OWASP's "CSV Injection" page advises;
numbers stay numbers, negative ones too. Where semicolons separate (most of Europe) quotes in the middle of a line mean
nothing to Excel: a semicolon or a line break inside a text begins a cell there, and what follows is disarmed as well.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # full-width forms count in some locales
_INNER = re.compile(r"([;\t\r\n][^\S\t\r\n]*)(?=[=+\-@＝＋－＠])")


def csv_file(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """UTF-8 with a byte order mark (without it Excel guesses another encoding), CRLF, one line per row.

    Decimal is written plainly, never in scientific notation; None is an empty cell; times are ISO 8601.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([cell(name) for name in columns])
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def cell(value: Any) -> str:
    """One value as it stands in the file."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    text = _INNER.sub(r"\1'", str(value).replace("\x00", ""))
    # A space in front does not stop every spreadsheet from seeing the formula behind it.
    return f"'{text}" if text.startswith(DANGEROUS) or text.lstrip().startswith(DANGEROUS) else text
