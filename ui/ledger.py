"""The ledger in words: one line a job or entry with the balance after it, and what is behind it when it is opened."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from html import escape
from typing import Any

import streamlit as st

from core.catalog import GENERATION_TYPES
from core.credits import CreditLine
from core.models import CreditEntry
from ui import session, words

RECEIPT = "/checkout/receipt"
HEADS = ("When", "What", "Detail", "Credits", "Balance")
FILE_HEADS = ("When", "What", "Detail", "Credits", "Available after", "Set aside after", "Entry", "Job", "Order")
KINDS = {
    "welcome": "Welcome",
    "grant": "Granted",
    "purchase": "Bought",
    "hold": "Set aside",
    "capture": "Job charged",
    "release": "Returned",
    "refund": "Refunded",
    "chargeback": "Taken back",
    "reversal": "Given back",
    "settlement": "Debt settled",
    "waiver": "Debt forgiven",
    "freeze": "Kept back",
    "unfreeze": "Set free",
    "adjustment": "Adjusted",
}
_ENDS = {"failed": "it failed", "cancelled": "it was cancelled"}


def what(line: CreditLine) -> str:
    """What a line is about."""
    return "Job running" if line.kind == "hold" else KINDS.get(line.kind, line.kind.capitalize())


def detail(line: CreditLine) -> str:
    """Which job or why, and what the change does not say. Not escaped."""
    known = GENERATION_TYPES.get(line.generation_type or "")
    about = words.headline(line.prompt or "", 60) or (known.label.split(" · ")[0] if known else "") or line.reason or ""
    if line.kind == "welcome":
        return "To begin with"
    if line.kind == "hold":
        more = f"{words.credits(line.amount)} set aside"
    elif line.kind == "release":
        ended = _ENDS.get(line.job_status or "")
        more = ", ".join(filter(None, (f"{words.credits(line.amount)} returned", ended)))
    elif line.owed_change > 0:
        more = f"{words.credits(line.owed_change)} used before, owed now"
    elif line.kind == "waiver":
        more = f"{words.credits(line.amount)} no longer owed"
    else:
        more = ""
    return " · ".join(filter(None, (about, more)))


def facts(line: CreditLine, now: datetime, tz: tzinfo) -> Iterator[tuple[str, str]]:
    """What is behind a line: when each part of it happened, and how the account stood after it."""

    def moment(when: datetime) -> str:
        local = when.astimezone(tz)
        return f"{words.day(local.date(), now.astimezone(tz).date())}, {words.clock(when, tz)}"

    if line.set_aside_at is not None:
        yield "Set aside", f"{words.credits(line.amount)}, {moment(line.set_aside_at)}"
    yield KINDS.get(line.kind, "When"), f"{words.credits(line.amount)}, {moment(line.at)}"
    stood = [f"{words.number(line.available_after)} available", f"{words.number(line.held_after)} set aside"]
    if line.owed_after:
        stood.append(f"{words.number(line.owed_after)} owed")
    if line.frozen_after:
        stood.append(f"{words.number(line.frozen_after)} kept back")
    yield "After it", ", ".join(stood)
    if line.purchase_id is not None:
        yield "Order", str(line.purchase_id)
    yield "Entry", str(line.id)


def links(line: CreditLine) -> Iterator[tuple[str, str]]:
    """Where a line leads: its job, the receipt of its purchase."""
    if line.job_id is not None:
        yield "Open the job", f"/jobs?job={line.job_id}"
    if line.purchase_id is not None and line.has_receipt:
        yield "Receipt", f"{RECEIPT}?order={line.purchase_id}"


def draw(lines: tuple[CreditLine, ...]) -> None:
    """The lines as a list that opens; every value in it is escaped."""
    now, tz = session.now(), session.tz()
    head = "".join(f"<span>{name}</span>" for name in HEADS)
    rows = "".join(_row(line, now, tz) for line in lines)
    st.html(f'<div class="ledger"><p class="head" aria-hidden="true">{head}</p>{rows}</div>')


def _row(line: CreditLine, now: datetime, tz: tzinfo) -> str:
    cells = (
        words.exact(line.at, now, tz),
        what(line),
        detail(line),
        words.signed(line.change),
        words.number(line.balance),
    )
    shown = "".join(f'<span title="{name}">{escape(cell)}</span>' for name, cell in zip(HEADS, cells, strict=True))
    known = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(line, now, tz))
    ways = "".join(f'<a href="{escape(where, quote=True)}">{escape(name)}</a>' for name, where in links(line))
    behind = f'<dl>{known}</dl><p class="ways">{ways}</p>' if ways else f"<dl>{known}</dl>"
    return f"<details><summary>{shown}</summary><div>{behind}</div></details>"


def file_row(entry: CreditEntry) -> tuple[Any, ...]:
    """One entry as it stands in the file."""
    return (
        entry.created_at,
        KINDS.get(entry.kind, entry.kind),
        words.headline(entry.prompt or "", 120) or entry.reason or "",
        entry.available_change,
        entry.available_after,
        entry.held_after,
        entry.id,
        str(entry.job_id or ""),
        str(entry.purchase_id or ""),
    )
