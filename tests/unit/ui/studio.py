"""A studio that answers from memory, and what tests do on its pages."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from streamlit.testing.v1 import AppTest

from core import jobs
from core.alerts import Alert
from core.errors import DatabaseUnavailable, NotFound
from core.keyset import Place
from core.models import Job, JobFilter, JobPage, LastSettings, Person
from core.purchases import Purchase
from core.retrying import NotRetried, RetryOutcome, RetryPlan
from tests.unit.ui import doubles

MAIN = Path(__file__).resolve().parents[3] / "ui" / "main.py"


class Studio:
    """What `core` knows, and what was asked of it."""

    def __init__(self) -> None:
        self.person: Person | None = doubles.person()
        self.open: list[Job] = []
        self.finished: list[Job] = []
        self.submitted: list[tuple[UUID, str, dict[str, Any], int | None]] = []
        self.calls: list[tuple[Any, ...]] = []
        self.refuses: Exception | None = None
        self.fails_with: str | None = None
        self.is_down = False
        self.alerts: list[Alert] = []
        self.purchases: list[Purchase] = []
        self.noted: list[tuple[UUID, str]] = []  # who was refused what
        self.campaigns: dict[UUID, str] = {}
        self.last_settings: list[LastSettings] = []
        self.pays_for = 100

    def current(self, _cookie: str | None, *, watching: bool = False, settings: bool = False) -> Person | None:
        if self.is_down:
            raise DatabaseUnavailable("Atelier cannot reach its database at the moment.")
        self.calls.append(("current", watching))
        if self.person is None:
            return None
        last = tuple(self.last_settings) if settings else ()
        return replace(self.person, running=tuple(self.open), alerts=tuple(self.alerts), last_settings=last)

    def note_refusal(self, user_id: UUID, action: str) -> None:
        self.noted.append((user_id, action))

    def submit(
        self,
        _person: Person,
        generation_type: str,
        inputs: dict[str, Any],
        *,
        job_id: UUID,
        expected_credits: int | None = None,
    ) -> Job:
        if self.refuses is not None:
            raise self.refuses
        self.submitted.append((job_id, generation_type, inputs, expected_credits))
        if self.fails_with is not None:
            return doubles.job(id=job_id, status="failed", error_type="refused", error_message=self.fails_with)
        made = doubles.running(id=job_id, generation_type=generation_type, input_params=inputs)
        if job_id not in [job.id for job in self.open]:
            self.open.insert(0, made)
        return made

    def get(self, _person: Person, job_id: UUID) -> Job:
        for job in self.open + self.finished:
            if job.id == job_id:
                return job
        raise NotFound("There is no such job.")

    def recent(self, _person: Person, limit: int = 8) -> tuple[Job, ...]:
        return tuple([job for job in self.finished if job.status == "completed"][:limit])

    def purchase(self, _person: Person, purchase_id: UUID) -> Purchase:
        for purchase in self.purchases:
            if purchase.id == purchase_id:
                return purchase
        raise NotFound("There is no such order.")

    def list_finished(
        self, _person: Person, *, after: Place | None = None, page_size: int, matching: JobFilter = jobs.EVERYTHING
    ) -> JobPage:
        self.calls.append(("list_finished", after, matching))
        found = [job for job in self.finished if matching.text in job.prompt]
        found = [job for job in found if matching.status in (None, job.status)]
        first = next((number + 1 for number, job in enumerate(found) if after and job.id == after.id), 0)
        shown = tuple(found[first : first + page_size])
        is_last = first + page_size >= len(found)
        return JobPage(shown, None if is_last else Place(shown[-1].created_at, shown[-1].id))

    def campaign_names(self, _person: Person) -> dict[UUID, str]:
        return self.campaigns

    def plan_retries(self, _person: Person, matching: JobFilter) -> RetryPlan:
        """What has failed and fits, at one credit each."""
        self.calls.append(("plan_retries", matching))
        return RetryPlan(tuple(map(doubles.retry, self.failed())), (), 0)

    def failed(self) -> list[Job]:
        return [job for job in self.finished if job.status == "failed" and job.retried_as is None]

    def carry_out(self, _person: Person, plan: RetryPlan) -> RetryOutcome:
        """As many as there are credits for."""
        paid, unpaid = plan.retries[: self.pays_for], plan.retries[self.pays_for :]
        for retry in paid:
            old = self.finished.index(retry.job)
            self.finished[old] = replace(retry.job, retried_as=retry.new_id)
            self.open.append(doubles.running(id=retry.new_id, retried_from=retry.job.id))
        short = "This needs 1 credit and you have 0."
        waiting = tuple(NotRetried(retry.job, short) for retry in unpaid)
        return RetryOutcome(tuple(retry.new_id for retry in paid), 0, waiting)


Open = Callable[..., AppTest]


def words_on(app: AppTest) -> str:
    """Everything that is written on the page."""
    kinds = (app.title, app.subheader, app.markdown, app.text, app.error, app.warning, app.info, app.caption, app.html)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def click(app: AppTest, label: str, number: int = 0) -> AppTest:
    """Press the button of this label, the first unless another one is meant."""
    [button for button in app.button if button.label == label][number].click().run()
    assert not app.exception
    return app


def press(app: AppTest) -> AppTest:
    app.button(key="generate-button").click().run()
    assert not app.exception
    return app
