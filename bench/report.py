"""What was measured, as one table and as JSON."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any, Literal

from local.postgres import binary


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. `value` is what is compared with `limit`, in `unit`; a ratio has the unit "×".

    `detail` says in a few words what the figure is made of, `facts` holds the numbers behind it.
    """

    line: str
    what: str
    value: float
    limit: float | None  # None: nothing has to be reached, it is told for comparison
    unit: str
    detail: str
    sense: Literal["at most", "at least"] = "at most"
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        if self.limit is None:
            return None
        return self.value <= self.limit if self.sense == "at most" else self.value >= self.limit

    @property
    def must(self) -> str:
        if self.limit is None:
            return ""
        return f"{'≤' if self.sense == 'at most' else '≥'} {_figure(self.limit)} {self.unit}"


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies, by the nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, ceil(round(share * len(ordered), 6)) - 1)]


def _figure(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2f}"


def table(results: Sequence[Result]) -> str:
    """Markdown, as `write_document` puts it into docs/performance.md."""
    heads = ("line", "what", "measured", "must reach", "reached", "made of")
    rows = [
        (
            one.line,
            one.what,
            f"{_figure(one.value)} {one.unit}",
            one.must,
            {True: "yes", False: "NO", None: ""}[one.reached],
            one.detail,
        )
        for one in results
    ]
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = [heads, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in lines
    )


def paragraph(at: str, jobs: int, machine: dict[str, Any]) -> str:
    """When and on what this was measured, in one sentence for the document."""
    return (
        f"Measured {at[:16].replace('T', ' ')} UTC on {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gb']} GB of memory, {machine['system']}, {machine['postgresql']}, "
        f"Python {machine['python']}, with a history of {jobs:,} jobs; "
        f"load average {machine['load_average'][0]} when it began."
    )


def missed(results: Sequence[Result]) -> str:
    """A list of what does not reach its line."""
    lines = [f"- {one.line}, {one.what}: {_figure(one.value)} {one.unit}" for one in results if one.reached is False]
    return "\n".join(lines) or "Every line is reached."


def write_document(path: Path, at: str, results: Sequence[Result], jobs: int, machine: dict[str, Any]) -> None:
    """Put what was measured between the markers of a document; its words stay as they are."""
    parts = {
        "machine": paragraph(at, jobs, machine),
        "table": table([one for one in results if one.limit is not None]),
        "missed": missed(results),
        "told": table([one for one in results if one.limit is None]),
    }
    text = path.read_text(encoding="utf-8")
    for name, part in parts.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not found or not ended:
            raise ValueError(f"{path} has no place for {name}: {begin.strip()} … {end.strip()}")
        text = f"{before}{begin}{part}{end}{after}"
    path.write_text(text, encoding="utf-8")


def machine_facts() -> dict[str, Any]:
    """The machine that this ran on, and how busy others kept it at the start."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory.split()[1]) / 1_048_576, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "postgresql": _postgresql(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def _postgresql() -> str:
    """PostgreSQL 18.4"""
    told = subprocess.run([binary("postgres"), "--version"], capture_output=True, text=True, check=True).stdout
    return f"PostgreSQL {told.split()[-1]}"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def write(path: Path, at: str, results: Sequence[Result], jobs: int, machine: dict[str, Any]) -> None:
    content = {
        "at": at,
        "jobs": jobs,
        "machine": machine,
        "results": [{**asdict(one), "must": one.must, "reached": one.reached} for one in results],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
