"""What `make bench` says about what it measured."""

import json
import re
from pathlib import Path

import pytest

from bench import report
from bench.__main__ import DOCUMENT
from bench.plan import LINES
from bench.report import Result


@pytest.mark.parametrize(
    ("sense", "value", "reached"),
    [("at most", 1.3, True), ("at most", 1.31, False), ("at least", 0.5, True), ("at least", 0.49, False)],
)
def test_a_limit_is_reached_up_to_the_limit_itself(sense: str, value: float, reached: bool) -> None:
    limit = 1.3 if sense == "at most" else 0.5
    assert Result("pages", "jobs", value, limit, "×", "", sense).reached is reached  # type: ignore[arg-type]


def test_what_has_no_limit_is_neither_reached_nor_missed() -> None:
    one = Result("growth", "for comparison", 7, None, "jobs/s", "")
    assert (one.reached, one.must) == (None, "")


@pytest.mark.parametrize(("share", "expected"), [(0.5, 10), (0.95, 19), (1.0, 20), (0.0, 1)])
def test_quantiles_are_the_nearest_rank(share: float, expected: float) -> None:
    assert report.quantile(list(range(20, 0, -1)), share) == expected


def test_one_value_is_every_quantile() -> None:
    assert {report.quantile([4.2], share) for share in (0, 0.5, 0.95, 1)} == {4.2}


def test_the_table_is_markdown_and_says_what_was_missed() -> None:
    lines = report.table(
        [
            Result("submit", "round trips", 3, 3, "trips", "the most of 160"),
            Result("webhook", "sustained rate", 0.4, 0.5, "×", "400/s", "at least"),
            Result("growth", "for comparison", 123.4, None, "jobs/s", ""),
        ]
    ).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {len(row) for row in cells} == {6}
    assert cells[0] == ["line", "what", "measured", "must reach", "reached", "made of"]
    assert cells[2][2:5] == ["3 trips", "≤ 3 trips", "yes"]
    assert cells[3][2:5] == ["0.40 ×", "≥ 0.50 ×", "NO"]
    assert cells[4][2:5] == ["123 jobs/s", "", ""]


def test_the_json_holds_what_the_table_says(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "bench.json"
    one = Result("pages", "jobs", 1.4, 1.3, "×", "", facts={"p95": 40.0})
    report.write(path, report.now(), [one], 1000, report.machine_facts())
    written = json.loads(path.read_text())
    assert written["jobs"] == 1000
    assert written["machine"]["cores"] >= 1
    assert written["results"][0]["reached"] is False
    assert written["results"][0]["must"] == "≤ 1.30 ×"
    assert written["results"][0]["facts"] == {"p95": 40.0}


def test_the_document_takes_the_figures_and_keeps_its_words(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(DOCUMENT.read_text())
    machine = report.machine_facts()
    results = [
        Result("submit", "round trips", 3, 3, "trips", ""),
        Result("pages", "jobs", 1.4, 1.3, "×", ""),
        Result("growth", "people", 9876, None, "people", ""),
    ]
    report.write_document(document, "2026-11-21T09:00:30+00:00", results, 4321, machine)
    once = document.read_text()
    assert "Measured 2026-11-21 09:00 UTC" in once
    assert "4,321 jobs" in once
    assert machine["postgresql"] in once
    assert "- pages, jobs: 1.40 ×" in once
    needed, told = once.split("<!-- told -->")
    assert "9876 people" in told
    assert "9876" not in needed
    report.write_document(document, "2026-11-21T09:00:30+00:00", results, 4321, machine)
    assert document.read_text() == once
    assert re.sub(r"(<!-- (\w+) -->).*?(<!-- /\2 -->)", r"\1\3", once, flags=re.DOTALL) == re.sub(
        r"(<!-- (\w+) -->).*?(<!-- /\2 -->)", r"\1\3", DOCUMENT.read_text(), flags=re.DOTALL
    )


def test_a_document_without_places_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "empty.md"
    document.write_text("Nothing here.")
    with pytest.raises(ValueError, match="no place for machine"):
        report.write_document(document, report.now(), [], 1000, report.machine_facts())
    assert document.read_text() == "Nothing here."


def test_every_line_can_be_asked_for_by_its_name() -> None:
    assert LINES
    for name, line in LINES.items():
        assert name.isalpha()
        assert line.what
        assert callable(line.measure)
