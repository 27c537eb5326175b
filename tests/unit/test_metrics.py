"""Prometheus text from the figures of the database."""

import re
from typing import Any

from core.metrics import render

EMPTY: dict[str, Any] = {
    "jobs": {},
    "stuck_jobs": {},
    "ended_jobs": [],
    "job_seconds": {},
    "webhook_seconds": {},
    "webhook_calls": [],
    "inbox": {"failed": 0, "dead": 0},
    "workers": {"alive": 0, "beat_age_seconds": None},
    "due": {"jobs": {"count": 0, "lag_seconds": 0}},
    "chores": [],
    "audit": None,
    "alerts_undelivered": 2,
    "sessions": 0,
    "people_waiting": 0,
    "providers": [{"provider": "fal", "locked": False, "unwell": True}],
    "budget_remaining_usd": None,
    "database_bytes": 8_000_000,
}
BUSY: dict[str, Any] = EMPTY | {
    "jobs": {"submitted": 2, "unclear": 1, "completed": 5},
    "stuck_jobs": {"unclear": 1},
    "ended_jobs": [
        {"generation_type": "a", "jobs": 5, "failures": 1, "credits": 8, "spent_usd": 0.5, "seconds": 60.5},
        {"generation_type": "b", "jobs": 1, "failures": 0, "credits": 1, "spent_usd": 0.1, "seconds": 2},
    ],
    "job_seconds": {"a": {"0.5": 11.5, "0.9": 20, "0.99": 21}},
    "webhook_calls": [{"provider": "fal", "outcome": "refused", "calls": 3}],
    "workers": {"alive": 2, "beat_age_seconds": 0.4},
    "chores": [
        {"name": "prices", "failures": 0, "ok_age_seconds": 12.0},
        {"name": "audit", "failures": 2, "ok_age_seconds": None},
    ],
    "audit": {"violations": 0, "age_seconds": 90.5},
    "budget_remaining_usd": -1.5,
}
SAMPLE = re.compile(r'([a-z_]+)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? (-?[0-9.e+-]+)')


def samples(text: str) -> dict[str, float]:
    """{name and labels: value}, every line that is no comment being in the format."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            match = SAMPLE.fullmatch(line)
            assert match, line
            key = match[1] + (match[2] or "")
            assert key not in found, "a sample is told once"
            found[key] = float(match[3])
    return found


def test_figures_are_told_with_their_labels() -> None:
    told = samples(render(BUSY))
    expected = {
        'atelier_jobs{state="pending"}': 0,
        'atelier_jobs{state="submitted"}': 2,
        'atelier_jobs{state="completed"}': 5,
        'atelier_jobs{state="cancelled"}': 0,
        'atelier_jobs_stuck{reason="unclear"}': 1,
        'atelier_jobs_ended_total{generation_type="a"}': 5,
        'atelier_jobs_failed_total{generation_type="b"}': 0,
        'atelier_job_seconds{generation_type="a",quantile="0.5"}': 11.5,
        'atelier_job_seconds_sum{generation_type="a"}': 60.5,
        'atelier_job_seconds_count{generation_type="a"}': 5,
        'atelier_webhook_calls_total{provider="fal",outcome="refused"}': 3,
        'atelier_webhook_inbox{status="dead"}': 0,
        'atelier_provider_unwell{provider="fal"}': 1,
        "atelier_workers_alive": 2,
        "atelier_worker_beat_age_seconds": 0.4,
        'atelier_chore_failures{chore="audit"}': 2,
        "atelier_audit_violations": 0,
        "atelier_alerts_undelivered": 2,
        "atelier_budget_remaining_usd": -1.5,
    }
    assert {name: told.get(name) for name in expected} == expected


def test_what_is_not_known_is_not_told() -> None:
    told = samples(render(EMPTY))
    assert not {"atelier_audit_violations", "atelier_budget_remaining_usd", "atelier_worker_beat_age_seconds"} & set(
        told
    )
    assert 'atelier_chore_ok_age_seconds{chore="audit"}' not in samples(render(BUSY))
    assert told["atelier_workers_alive"] == 0


def test_every_sample_follows_the_head_of_its_own_metric() -> None:
    for facts in (EMPTY, BUSY):
        text = render(facts)
        assert text.endswith("\n")
        name, heads = "", []
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ")[2]
                heads.append(name)
            elif line.startswith("# TYPE "):
                assert line.split(" ")[2] == name
                assert line.split(" ")[3] in {"gauge", "counter", "summary"}
            else:
                assert line.startswith((f"{name}{{", f"{name} ", f"{name}_sum{{", f"{name}_count{{")), line
        assert len(heads) == len(set(heads))


def test_counters_are_named_as_counters() -> None:
    kinds = {line.split(" ")[2]: line.split(" ")[3] for line in render(BUSY).splitlines() if line.startswith("# TYPE ")}
    assert {name for name, kind in kinds.items() if kind == "counter"} == {
        name for name in kinds if name.endswith("_total")
    }


def test_a_label_cannot_break_out_of_its_quotes() -> None:
    text = render(EMPTY | {"stuck_jobs": {'a"} 1\nevil \\': 1}})
    assert 'atelier_jobs_stuck{reason="a\\"} 1\\nevil \\\\"} 1\n' in text
