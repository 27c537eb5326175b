"""The Jobs page: gallery and table, filters and pages, deep links, cancelling."""

from dataclasses import replace
from uuid import UUID

import pytest

from core import jobs
from core.models import Job, Person
from tests.unit.ui import doubles
from tests.unit.ui.studio import Open, Studio, words_on


def test_nothing_made_yet_invites(open_page: Open) -> None:
    app = open_page("jobs")
    assert "Nothing here yet" in words_on(app)
    assert "Finished" not in words_on(app)


def test_finished_jobs_have_pages_and_filters(studio: Studio, open_page: Open) -> None:
    studio.finished = [doubles.job() for _ in range(30)]
    app = open_page("jobs")
    assert "1–12 of 30 jobs" in words_on(app)
    app.pagination(key="jobs-page").set_value(3).run()
    assert "25–30 of 30 jobs" in words_on(app)
    app.selectbox(key="jobs-status").select("failed").run()
    assert "No job like that" in words_on(app)
    assert ("list_finished", 1, (), "failed", "") in studio.calls
    next(button for button in app.button if button.label == "Clear filters").click().run()
    assert "1–12 of 30 jobs" in words_on(app)


def test_the_table_shows_the_same_jobs(studio: Studio, open_page: Open) -> None:
    studio.finished = [doubles.job(), doubles.job(status="failed", credits_charged=0, outputs=())]
    app = open_page("jobs")
    app.button_group(key="jobs-view").set_value("table").run()
    frame = app.dataframe[0].value
    assert list(frame["Status"].map(list)) == [["Done"], ["Failed"]]
    assert list(frame["Credits"]) == [1, 0]


def test_a_deep_link_opens_the_detail(studio: Studio, open_page: Open) -> None:
    done = doubles.job(credits_held=25, credits_charged=25)
    studio.finished = [done]
    app = open_page(job=str(done.id))
    assert "Story" in words_on(app)
    assert r"Three glazed spheres on linen" in [text.value for text in app.text]
    assert app.query_params["job"] == str(done.id)


@pytest.mark.parametrize("wanted", ["not-an-id", "7c1f4f0e-3b62-4c1d-9a57-2f0d6f1f8a11"])
def test_an_unknown_job_is_said_and_forgotten(open_page: Open, wanted: str) -> None:
    app = open_page(job=wanted)
    assert [toast.value for toast in app.toast] == ["There is no such job, or it is not yours."]
    assert "job" not in app.query_params


def test_trying_again_opens_the_new_job(studio: Studio, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = doubles.job(status="failed", credits_charged=0, outputs=(), error_message="No. Nothing was charged.")
    studio.finished = [failed]

    def retry(_person: Person, job_id: UUID, *, new_id: UUID) -> Job:
        studio.open = [doubles.running(id=new_id, retried_from=job_id)]
        return studio.open[0]

    monkeypatch.setattr(jobs, "retry", retry)
    app = open_page(job=str(failed.id))
    assert app.error[0].value == r"**No\.** Nothing was charged\."
    next(button for button in app.button if button.label == "Try again").click().run()
    assert app.query_params["job"] == str(studio.open[0].id)
    assert studio.open[0].retried_from == failed.id


def test_cancelling_asks_and_says_so(studio: Studio, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    going = doubles.running()
    studio.open = [going]

    def cancel(_person: Person, job_id: UUID) -> Job:
        studio.open = []
        return replace(going, id=job_id, status="cancelled", completed_at=doubles.NOON)

    monkeypatch.setattr(jobs, "cancel", cancel)
    app = open_page("jobs")
    app.button(key=f"cancel-{going.id}").click().run()
    assert [toast.value for toast in app.toast] == ["Cancelled. Nothing, 1 credit returned."]
    assert "Running now" not in words_on(app)
