"""The ledger in words: what a line says, what is behind it, and where it leads."""

import re
from datetime import UTC, timedelta
from uuid import UUID

import pytest

from core.credits import GROUPS
from tests.unit.ui.doubles import NOON, bought, entry, line
from ui import ledger

ID = UUID(int=7)


def test_every_kind_of_entry_has_a_word_and_one_group() -> None:
    grouped = [kind for kinds in GROUPS.values() for kind in kinds]
    assert sorted(grouped) == sorted(ledger.KINDS)


@pytest.mark.parametrize(
    ("told", "what", "detail"),
    [
        (line(), "Job charged", "Three glazed spheres on linen"),
        (line(prompt=""), "Job charged", "Flux Schnell"),
        (line(kind="hold", amount=25), "Job running", "Three glazed spheres on linen · 25 credits set aside"),
        (
            line(kind="release", amount=25, job_status="failed"),
            "Returned",
            "Three glazed spheres on linen · 25 credits returned, it failed",
        ),
        (
            line(kind="release", job_status="cancelled"),
            "Returned",
            "Three glazed spheres on linen · 1 credit returned, it was cancelled",
        ),
        (bought(), "Bought", "500 credits for €79"),
        (
            bought(kind="refund", reason="Refund of €79", owed_change=60),
            "Refunded",
            "Refund of €79 · 60 credits used before, owed now",
        ),
        (bought(kind="waiver", reason="A gift", amount=60), "Debt forgiven", "A gift · 60 credits no longer owed"),
        (bought(kind="grant", reason="Thank you"), "Granted", "Thank you"),
    ],
)
def test_a_line_says_what_it_is_about(told: ledger.CreditLine, what: str, detail: str) -> None:
    assert (ledger.what(told), ledger.detail(told)) == (what, detail)


def test_a_job_tells_when_it_was_set_aside_and_charged() -> None:
    told = line(amount=25, set_aside_at=NOON - timedelta(minutes=2), held_after=8, frozen_after=3, owed_after=2)
    assert list(ledger.facts(told, NOON, UTC)) == [
        ("Set aside", "25 credits, 20 Nov, 11:58:00"),
        ("Job charged", "25 credits, 20 Nov, 12:00:00"),
        ("After it", "83 available, 8 set aside, 2 owed, 3 kept back"),
        ("Entry", "2"),
    ]


def test_a_line_leads_to_its_job_or_its_receipt() -> None:
    assert list(ledger.links(line(job_id=ID))) == [("Open the job", f"/jobs?job={ID}")]
    assert list(ledger.links(bought(purchase_id=ID))) == [("Receipt", f"/checkout/receipt?order={ID}")]
    assert list(ledger.links(bought(has_receipt=False))) == []


def test_nothing_that_somebody_wrote_becomes_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(ledger.st, "html", drawn.append)
    monkeypatch.setattr(ledger.session, "tz", lambda: UTC)
    ledger.draw((line(prompt="<img src=x onerror=alert(1)>"), bought(reason="</details><script>")))
    assert set(re.findall(r"<(\w+)", drawn[0])) == {"a", "dd", "details", "div", "dl", "dt", "p", "span", "summary"}
    assert drawn[0].count("<details>") == 2


def test_the_file_keeps_every_entry_as_the_books_have_it() -> None:
    row = ledger.file_row(entry(job_id=ID))
    assert len(row) == len(ledger.FILE_HEADS)
    assert row[1:] == ("Set aside", "Three glazed spheres on linen", -1, 83, 1, 1, str(ID), "")
