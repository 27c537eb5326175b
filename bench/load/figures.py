"""What came of the load, for a terminal and as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bench.load.run import Outcome
from bench.load.storm import NO_ANSWER
from bench.report import quantile

SHOWN = 10  # violations of one check
_MEANING = {200: "acknowledged", 401: "refused", 500: "effect failed", 503: "try again", NO_ANSWER: "no answer in 15 s"}


def figures(outcome: Outcome) -> dict[str, Any]:
    """The numbers. Times in seconds, rates a second, CPU in cores."""
    told, wish = outcome.told, outcome.wish
    clicks = [took for what, found in outcome.took.items() if what != "refresh by itself" for took in found]
    return {
        "wished": asdict(wish),
        "webhooks": {
            "asked_rate": wish.rate,
            "reached_rate": round(told.rate, 1),
            "first_tries": {_name(status): n for status, n in sorted(told.first.items())},
            "acknowledged": len(told.acknowledged),
            "given_up": told.given_up,
            "seconds_of_first_tries": round(told.seconds, 1),
            "seconds_until_nothing_was_owed": round(told.all_seconds, 1),
            "delay": _spread(told.delays),
            "late_sends": _spread(told.late_sends),
            "by_kind": {f"{kind}: {_name(status)}": n for (kind, status), n in sorted(told.every.items())},
        },
        "people": {
            "number": wish.people,
            "clicks": len(clicks),
            "clicks_a_second": round(len(clicks) / wish.clicking, 1),
            "click": _spread(clicks),
            "by_deed": {what: {"times": len(found), **_spread(found)} for what, found in sorted(outcome.took.items())},
            "generate_pressed": outcome.asked,
            "errors": outcome.errors,
            "told": outcome.sentences,
        },
        "cores_while_webhooks_came": {name: round(cores, 2) for name, cores in outcome.cpu.items()},
        "jobs_ended": outcome.ends,
        "left_after": {"seconds": round(outcome.drained, 1), **outcome.left},
        "violations": len(outcome.violations),
    }


def as_json(outcome: Outcome, machine: dict[str, Any]) -> str:
    checks = {check.name: {"cases": check.cases, "violations": check.violations[:SHOWN]} for check in outcome.checks}
    content = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, **figures(outcome)}
    return json.dumps(content | {"checks": checks}, indent=2) + "\n"


def table(outcome: Outcome) -> str:
    return "\n".join(_lines(outcome))


def _lines(outcome: Outcome) -> Iterator[str]:
    found = figures(outcome)
    webhooks, people = found["webhooks"], found["people"]
    yield f"webhooks: {webhooks['reached_rate']:g}/s of {outcome.wish.rate:g}/s at the first try"
    yield f"  {webhooks['acknowledged']:>8}  acknowledged in {webhooks['seconds_until_nothing_was_owed']:g} s"
    for what, count in webhooks["by_kind"].items():
        yield f"  {count:>8}  {what}"
    yield f"  from due to acknowledged: {_words(webhooks['delay'])}; sent late by: {_words(webhooks['late_sends'])}"
    cores = ", ".join(f"{name} {used:.2f}" for name, used in found["cores_while_webhooks_came"].items())
    yield f"  cores used meanwhile: {cores}"
    yield ""
    yield f"people: {people['number']}, {people['clicks']} clicks, {people['clicks_a_second']:g}/s"
    yield f"  {_words(people['click'])}"
    for what, spread in people["by_deed"].items():
        yield f"  {spread['times']:>8}  {what}: {_words(spread)}"
    for kind in ("errors", "told"):
        yield f"  {kind}: {'none' if not people[kind] else ''}".rstrip()
        for what, count in people[kind].items():
            yield f"  {count:>8}  {what}"
    ends = ", ".join(f"{count} {what}" for what, count in found["jobs_ended"].items())
    left = ", ".join(f"{count} {what}" for what, count in outcome.left.items())
    yield ""
    yield f"jobs: {ends}; Generate was pressed {outcome.asked} times"
    yield f"left {outcome.drained:.0f} s after the people: {left}"
    yield ""
    for check in outcome.checks:
        verdict = f"{len(check.violations)} VIOLATIONS" if check.violations else "none violated"
        yield f"  {check.cases:>8}  {check.name}: {verdict}"
        yield from (f"            {violation}" for violation in check.violations[:SHOWN])


def _spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {
        name: round(quantile(seconds, share), 4) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    } | {"max": round(max(seconds), 4)}


def _words(spread: dict[str, float]) -> str:
    if "p50" not in spread:
        return "nothing"
    return ", ".join(f"{name} {spread[name] * 1000:,.0f} ms" for name in ("p50", "p95", "p99", "max"))


def _name(status: int) -> str:
    meaning = _MEANING.get(status)
    return f"{status} {meaning}" if meaning and status else meaning or str(status)
