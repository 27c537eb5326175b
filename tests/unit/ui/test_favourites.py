"""Favourites: the star on a card and in the detail, and the gallery with them alone."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from core import jobs
from core.errors import NotFound
from core.models import Person
from tests.unit.ui import doubles
from tests.unit.ui.studio import Open, Studio, click, words_on


@pytest.fixture
def marks(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[bool]]:
    def mark(_person: Person, job_id: UUID, on: bool) -> None:
        if job_id not in [job.id for job in studio.finished]:
            raise NotFound("There is no such job of yours.")
        studio.finished = [replace(job, is_favourite=on) if job.id == job_id else job for job in studio.finished]

    monkeypatch.setattr(jobs, "mark_favourite", mark)
    return lambda: [job.is_favourite for job in studio.finished]


def test_a_star_on_the_card_and_in_the_detail(studio: Studio, open_page: Open, marks: Callable[[], list[bool]]) -> None:
    studio.finished = [doubles.job(), doubles.job()]
    app = click(open_page("jobs"), "☆ Add to favourites", 1)
    assert marks() == [False, True]
    assert [button.label for button in app.button].count("★ In favourites") == 1
    app.query_params["job"] = str(studio.finished[1].id)
    app.run()
    click(app, "★ In favourites", 1)
    assert marks() == [False, False]


def test_the_gallery_shows_favourites_alone(studio: Studio, open_page: Open) -> None:
    studio.finished = [doubles.job(is_favourite=True)]
    app = open_page("jobs")
    app.toggle(key="jobs-favourites").set_value(True).run()
    asked = [call[2] for call in studio.calls if call[0] == "list_finished"]
    assert (asked[0].favourites, asked[-1].favourites) == (False, True)
    studio.finished = []
    app.run()
    assert "The star on a card puts it here" in words_on(app)
    studio.finished = [doubles.job()]
    click(app, "Clear filters")
    assert app.toggle(key="jobs-favourites").value is False


def test_the_star_of_a_job_that_is_gone_says_so(
    studio: Studio, open_page: Open, marks: Callable[[], list[bool]]
) -> None:
    studio.finished = [doubles.job()]
    app = open_page("jobs")
    studio.finished = []
    click(app, "☆ Add to favourites")
    assert marks() == []
    assert "There is no such job of yours" in app.toast[0].value
