"""A studio that answers from memory, and what tests do on its pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from streamlit.testing.v1 import AppTest

from core.alerts import Alert
from core.errors import DatabaseUnavailable, NotFound
from core.models import Job, JobPage, Person
from core.purchases import Purchase
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

    def current(self, _cookie: str | None, *, watching: bool = False) -> Person | None:
        if self.is_down:
            raise DatabaseUnavailable("Atelier cannot reach its database at the moment.")
        self.calls.append(("current", watching))
        return self.person

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

    def purchase(self, _person: Person, purchase_id: UUID) -> Purchase:
        for purchase in self.purchases:
            if purchase.id == purchase_id:
                return purchase
        raise NotFound("There is no such order.")

    def list_finished(
        self,
        _person: Person,
        *,
        page: int,
        page_size: int,
        media_kinds: tuple[str, ...] = (),
        status: str | None = None,
        text: str = "",
    ) -> JobPage:
        self.calls.append(("list_finished", page, media_kinds, status, text))
        found = [job for job in self.finished if text in job.prompt and (status is None or job.status == status)]
        return JobPage(tuple(found[(page - 1) * page_size : page * page_size]), len(found), page, page_size)


Open = Callable[..., AppTest]


def words_on(app: AppTest) -> str:
    """Everything that is written on the page."""
    kinds = (app.title, app.subheader, app.markdown, app.text, app.error, app.warning, app.info, app.caption, app.html)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def press(app: AppTest) -> AppTest:
    app.button(key="generate-button").click().run()
    assert not app.exception
    return app
