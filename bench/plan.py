"""Which lines there are, in the order in which they are measured."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.lines import crowd, growth, pages, start, submit, subscribe, visible, webhook, worker
from bench.report import Result
from bench.studio import Machine


@dataclass(frozen=True, slots=True)
class Line:
    """`measure` takes the machine and the size of the large history."""

    what: str
    measure: Callable[[Machine, int], list[Result]]


LINES: dict[str, Line] = {
    # First, while both databases are as they were made.
    "pages": Line("each page at both sizes, and its round trips", pages.measure),
    "submit": Line("submitting a job", submit.measure),
    "webhook": Line("taking webhooks, alone and from many senders", webhook.measure),
    "worker": Line("ten thousand open jobs: looks in time, requests to fal.ai", worker.measure),
    "subscribe": Line("the same jobs by fal.ai's own client, for comparison", subscribe.measure),
    "visible": Line("from a webhook to its result on an open page", visible.measure),
    "start": Line("a second start, and the stack while nobody is there", start.measure),
    "crowd": Line("a hundred people with Jobs open; memory of a session", crowd.measure),
    "growth": Line("what each thing costs, two of each process, and a larger site simulated", growth.measure),
}
