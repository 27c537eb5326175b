"""When to look at fal.ai next. Seconds; every wait is spread by chance, so that jobs do not march in step."""

import random

from core.settings import get_settings

LONGEST_WAIT = 120.0


def spread(seconds: float) -> float:
    """A wait within 15 % of the given one."""
    return seconds * random.uniform(0.85, 1.15)


def first_check_seconds(expected_seconds: int) -> int:
    """The first look: past the usual end when a webhook should come before it, early when looking is the only way."""
    if get_settings().public_url:
        return max(20, round(spread(expected_seconds * 1.5)))
    return max(1, min(10, round(expected_seconds / 5)))


def next_check_seconds(expected_seconds: int, check_count: int, *, trouble: int = 0) -> float:
    """The look after `check_count` looks; `trouble` counts answers in a row that were no answers (an outage)."""
    if trouble:
        return spread(min(LONGEST_WAIT, 5.0 * 2 ** min(trouble, 5)))
    if get_settings().public_url:
        # What its webhook did not bring by now mostly waits in fal.ai's queue: asking often brings nothing.
        return spread(min(LONGEST_WAIT, max(20.0, expected_seconds / 2) * 2 ** min(check_count, 8)))
    return spread(min(20.0, max(2.0, expected_seconds / 15) * 1.1 ** min(check_count, 20)))
