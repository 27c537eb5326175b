"""When fal.ai is asked: seldom when its webhooks come, often when asking is the only way, slowly when it is down."""

from itertools import accumulate
from types import SimpleNamespace

import pytest

from core import polling
from core.polling import LONGEST_WAIT, first_check_seconds, next_check_seconds

QUICK, LONG = 5, 90  # seconds that a run usually takes
MINUTES = 3 * 60


def looks(expected: int, seconds: int) -> list[float]:
    """When a job is looked at that does not end within so many seconds, without the spread by chance."""
    waits = [float(first_check_seconds(expected)), *(next_check_seconds(expected, count) for count in range(200))]
    return [at for at in accumulate(waits) if at <= seconds]


@pytest.fixture(params=["https://studio.example", ""], ids=["webhooks", "no webhooks"])
def webhooks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(polling, "get_settings", lambda: SimpleNamespace(public_url=request.param))
    monkeypatch.setattr(polling.random, "uniform", lambda _low, _high: 1.0)
    return bool(request.param)


def test_with_webhooks_the_looks_are_a_safety_net(webhooks: bool) -> None:
    for expected in (QUICK, LONG):
        found = looks(expected, MINUTES)
        if webhooks:
            assert found[0] >= expected * 1.5  # a job of the usual time is over by then: nobody asks about it
            assert 1 <= len(found) <= 4
        else:
            assert found[0] <= expected
            assert len(found) >= 10  # asking is how it gets known


def test_no_pause_is_longer_than_the_longest(webhooks: bool) -> None:  # noqa: ARG001
    waits = [next_check_seconds(expected, count) for expected in (QUICK, LONG, 10_000) for count in (0, 3, 50, 10_000)]
    assert max(waits) <= LONGEST_WAIT
    assert min(waits) >= 2


def test_while_fal_does_not_answer_the_pauses_grow(webhooks: bool) -> None:  # noqa: ARG001
    waits = [next_check_seconds(QUICK, 0, trouble=trouble) for trouble in range(1, 8)]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT
