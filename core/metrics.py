"""Figures of the whole installation for a monitoring system, from one SQL function.

Source of the format: Prometheus' documentation, "Exposition formats", text-based format 0.0.4. Every companion tells
the same figures, because they are the database's: scrape one of them. Nothing personal is among them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from core.database import get_database

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

STATES: Final = ("pending", "unclear", "submitted", "in_progress", "completed", "failed", "cancelled")

Facts = Mapping[str, Any]
Kind = Literal["gauge", "counter", "summary"]
Sample = tuple[str, Any]  # labels as they stand in the text, value; a value of None is left out


def text() -> str:
    """All figures now. Raises DatabaseError."""
    return render(get_database().call("metrics"))


def render(facts: Facts) -> str:
    """What the SQL function `metrics` returned, as text. Times are seconds, sizes bytes."""
    parts = (*_jobs(facts), *_webhooks(facts), *_workers(facts), *_rest(facts))
    return "".join(parts)


def _metric(name: str, kind: Kind, help: str, samples: Iterable[Sample]) -> str:
    head = f"# HELP atelier_{name} {help}\n# TYPE atelier_{name} {kind}\n"
    return head + "".join(f"atelier_{name}{labels} {value}\n" for labels, value in samples if value is not None)


def _jobs(facts: Facts) -> Iterable[str]:
    states = dict.fromkeys(STATES, 0) | facts["jobs"]
    yield _metric("jobs", "gauge", "Jobs by state; unclear ones may be at fal.ai or not.", _by("state", states))
    yield _metric("jobs_stuck", "gauge", "Open jobs that need an eye.", _by("reason", facts["stuck_jobs"]))
    ended = {row["generation_type"]: row for row in facts["ended_jobs"]}

    def per_type(field: str) -> list[Sample]:
        return _by("generation_type", {name: row[field] for name, row in ended.items()})

    yield _metric("jobs_ended_total", "counter", "Jobs that have ended, however.", per_type("jobs"))
    yield _metric("jobs_failed_total", "counter", "Jobs that have failed.", per_type("failures"))
    yield _metric("credits_charged_total", "counter", "Credits charged for completed jobs.", per_type("credits"))
    # A better known cost may be lower, so this is no counter.
    yield _metric("spent_usd", "gauge", "USD counted as spend.", per_type("spent_usd"))
    quantiles = _quantiles("generation_type", facts["job_seconds"])
    yield _metric("job_seconds", "summary", "From submit to end; quantiles of the last hour.", quantiles)
    yield from (f"atelier_job_seconds_sum{labels} {value}\n" for labels, value in per_type("seconds"))
    yield from (f"atelier_job_seconds_count{labels} {value}\n" for labels, value in per_type("jobs"))


def _webhooks(facts: Facts) -> Iterable[str]:
    yield _metric(
        "webhook_calls_total",
        "counter",
        "Calls that came in: accepted, refused (not verified), failed (its effect), not_stored (database away).",
        [(_labels(provider=row["provider"], outcome=row["outcome"]), row["calls"]) for row in facts["webhook_calls"]],
    )
    yield _metric(
        "webhook_inbox", "gauge", "Stored calls without their effect, by status.", _by("status", facts["inbox"])
    )
    yield _metric(
        "webhook_settle_seconds",
        "gauge",
        "From the moment a call was signed to its commit; quantiles of the last hour.",
        _quantiles("provider", facts["webhook_seconds"]),
    )
    locked, unwell = (
        {row["provider"]: int(row[field]) for row in facts["providers"]} for field in ("locked", "unwell")
    )
    yield _metric("provider_locked", "gauge", "1 while the account there is locked.", _by("provider", locked))
    yield _metric("provider_unwell", "gauge", "1 while it does not answer as it should.", _by("provider", unwell))


def _workers(facts: Facts) -> Iterable[str]:
    workers, due = facts["workers"], facts["due"]
    yield _metric("workers_alive", "gauge", "Workers heard of within a minute.", _plain(workers["alive"]))
    yield _metric(
        "worker_beat_age_seconds", "gauge", "Since any worker was heard of.", _plain(workers["beat_age_seconds"])
    )
    yield _metric(
        "due", "gauge", "Work that is due now.", _by("work", {name: row["count"] for name, row in due.items()})
    )
    lags = {name: row["lag_seconds"] for name, row in due.items()}
    yield _metric("due_lag_seconds", "gauge", "How long the oldest due work waits for a worker.", _by("work", lags))
    chores = {row["name"]: row for row in facts["chores"]}
    failures = {name: row["failures"] for name, row in chores.items()}
    yield _metric("chore_failures", "gauge", "Failures in a row.", _by("chore", failures))
    ages = {name: row["ok_age_seconds"] for name, row in chores.items()}
    yield _metric("chore_ok_age_seconds", "gauge", "Since a chore last went well.", _by("chore", ages))


def _rest(facts: Facts) -> Iterable[str]:
    audit = facts["audit"] or {"violations": None, "age_seconds": None}
    yield _metric("audit_violations", "gauge", "What the last audit of the books found.", _plain(audit["violations"]))
    yield _metric("audit_age_seconds", "gauge", "Since the last audit of the books.", _plain(audit["age_seconds"]))
    undelivered = facts["alerts_undelivered"]
    yield _metric(
        "alerts_undelivered", "gauge", "Alerts of the last week that were posted in vain.", _plain(undelivered)
    )
    yield _metric("sessions_open", "gauge", "Browsers that are signed in.", _plain(facts["sessions"]))
    yield _metric("people_waiting", "gauge", "People who wait for approval.", _plain(facts["people_waiting"]))
    remaining = facts["budget_remaining_usd"]
    yield _metric("budget_remaining_usd", "gauge", "What is left of the balance at fal.ai.", _plain(remaining))
    yield _metric("database_bytes", "gauge", "Size of the database.", _plain(facts["database_bytes"]))


def _plain(value: Any) -> list[Sample]:
    return [("", value)]


def _by(label: str, values: Mapping[str, Any]) -> list[Sample]:
    return [(_labels(**{label: name}), value) for name, value in sorted(values.items())]


def _quantiles(label: str, found: Mapping[str, Mapping[str, float]]) -> list[Sample]:
    return [
        (_labels(**{label: name, "quantile": quantile}), seconds)
        for name, quantiles in sorted(found.items())
        for quantile, seconds in sorted(quantiles.items())
    ]


def _labels(**values: str) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
