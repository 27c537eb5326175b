"""The Jobs page: gallery and table, filters and pages, deep links, cancelling."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from streamlit.testing.v1 import AppTest

from core import jobs
from core.models import Job, JobFilter, Person
from tests.unit.ui import doubles
from tests.unit.ui.studio import Open, Studio, words_on


def test_nothing_made_yet_invites(open_page: Open) -> None:
    app = open_page("jobs")
    assert "Nothing here yet" in words_on(app)
    assert "Finished" not in words_on(app)


def test_finished_jobs_have_pages_and_filters(studio: Studio, open_page: Open) -> None:
    studio.finished = [doubles.job() for _ in range(30)]
    app = open_page("jobs")
    assert "1–12" in words_on(app)
    assert app.button(key="jobs-page-newer").disabled
    app.button(key="jobs-page-older").click().run()
    assert "13–24" in words_on(app)
    app.button(key="jobs-page-older").click().run()
    assert "25–30 of 30 jobs" in words_on(app)
    assert app.button(key="jobs-page-older").disabled
    app.button(key="jobs-page-newer").click().run()
    assert "13–24" in words_on(app)
    app.button(key="jobs-page-older").click().run()
    del studio.finished[24:]
    app.run()
    assert "1–12" in words_on(app)  # what was on the third page is gone
    studio.finished += [doubles.job() for _ in range(6)]
    app.button(key="jobs-page-older").click().run()
    app.selectbox(key="jobs-status").select("failed").run()
    assert "No job like that" in words_on(app)
    assert ("list_finished", None, JobFilter(status="failed")) in studio.calls
    next(button for button in app.button if button.label == "Clear filters").click().run()
    assert "1–12" in words_on(app)


def test_filters_by_model_campaign_and_days_of_where_the_browser_is(studio: Studio, open_page: Open) -> None:
    campaign = uuid4()
    studio.finished, studio.campaigns = [doubles.job()], {campaign: "Spring"}
    app = open_page("jobs")
    app.selectbox(key="jobs-type").select("video_veo31_fast")
    app.selectbox(key="jobs-campaign").select(str(campaign))
    app.date_input(key="jobs-from").set_value(date(2026, 11, 2))
    app.date_input(key="jobs-until").set_value(date(2026, 11, 3)).run()
    wanted = JobFilter(
        generation_type="video_veo31_fast",
        campaign_id=campaign,
        created_from=datetime(2026, 11, 2, tzinfo=UTC),
        created_before=datetime(2026, 11, 4, tzinfo=UTC),
    )
    assert studio.calls[-1] == ("list_finished", None, wanted)
    app.button(key="jobs-clear").click().run()
    assert studio.calls[-1] == ("list_finished", None, JobFilter())


def test_a_campaign_that_is_gone_narrows_nothing_any_more(studio: Studio, open_page: Open) -> None:
    campaign = uuid4()
    studio.finished, studio.campaigns = [doubles.job()], {campaign: "Spring"}
    app = open_page("jobs")
    app.selectbox(key="jobs-campaign").select(str(campaign)).run()
    studio.campaigns = {}
    app.run()
    assert not app.exception
    assert studio.calls[-1] == ("list_finished", None, JobFilter())


def broken(**changes: Any) -> Job:
    return doubles.job(status="failed", credits_charged=0, outputs=(), error_message="It broke.", **changes)


def test_all_that_failed_is_tried_again_once_it_is_known_what_it_costs(studio: Studio, open_page: Open) -> None:
    studio.finished = [broken(), broken(), broken(error_type="content_policy_violation")]
    app = open_page("jobs")
    assert not [button for button in app.button if button.key == "retry-all"]
    app.selectbox(key="jobs-status").select("failed").run()
    assert app.button(key="retry-all").label == "Try 3 again"
    app.button(key="retry-all").click().run()
    assert r"**3 credits** · about \$0\.018 · 80 credits left after" in words_on(app)
    assert "1 of them was refused for what it asks for" in words_on(app)
    app.button(key="retry-all-go").click().run()
    assert [toast.value for toast in app.toast] == ["3 jobs are on the way."]
    assert len(studio.open) == 3
    assert not [button for button in app.button if button.key == "retry-all"]


def test_what_the_credits_do_not_cover_is_named(studio: Studio, open_page: Open) -> None:
    studio.finished = [broken(), broken(input_params={"prompt": "A second one"})]
    studio.pays_for = 1
    app = open_page("jobs")
    app.selectbox(key="jobs-status").select("failed").run()
    app.button(key="retry-all").click().run()
    app.button(key="retry-all-go").click().run()
    said = words_on(app)
    assert r"**1 job was not tried again.** This needs 1 credit and you have 0\." in said
    assert "A second one" in said
    assert app.button(key="retry-all").label == "Try it again"


def test_a_phone_sees_in_the_table_what_became_of_a_job(studio: Studio, open_page: Open) -> None:
    studio.finished = [doubles.job()]
    app = open_page("jobs")
    app.button_group(key="jobs-view").set_value("table").run()
    assert list(app.dataframe[0].value.columns[:2]) == ["Job", "Status"]


def test_what_somebody_cancelled_is_no_alarm(studio: Studio, open_page: Open) -> None:
    ended = doubles.job(
        status="cancelled", credits_charged=0, outputs=(), error_message="This was cancelled. Nothing was charged."
    )
    studio.finished = [ended]
    app = open_page(job=str(ended.id))
    assert [info.value for info in app.info] == [r"**This was cancelled\.** Nothing was charged\."]
    assert not app.error


def test_a_failed_job_leads_to_its_next_try_instead_of_another_one(studio: Studio, open_page: Open) -> None:
    second = doubles.job(is_automatic_retry=True)
    first = broken(retried_as=second.id)
    studio.finished = [replace(second, retried_from=first.id), first]
    app = open_page(job=str(first.id))
    assert "Try again" not in [button.label for button in app.button]
    next(button for button in app.button if button.label == "Open the next try").click().run()
    assert app.query_params["job"] == str(second.id)
    assert "By itself, as the try before it had failed" in str([table.value for table in app.table])
    next(button for button in app.button if button.label == "Open the try before").click().run()
    assert app.query_params["job"] == str(first.id)


@pytest.mark.parametrize("changes", [{"is_late": True}, {"user_id": uuid5(doubles.ME, "somebody else")}])
def test_what_was_delivered_late_or_is_not_theirs_is_not_tried_again(
    studio: Studio, open_page: Open, changes: dict[str, Any]
) -> None:
    studio.finished = [broken(**changes)]
    app = open_page(job=str(studio.finished[0].id))
    assert "Try again" not in [button.label for button in app.button]


def test_a_job_of_a_campaign_leads_to_its_clip(studio: Studio, open_page: Open) -> None:
    campaign, clip = uuid4(), uuid4()
    studio.campaigns = {campaign: "Spring"}
    studio.finished = [doubles.job(campaign_id=campaign, clip_id=clip, clip_step="video")]
    app = open_page(job=str(studio.finished[0].id))
    (link,) = [link for link in app.get("page_link") if link.proto.label == "Made for Spring"]
    assert link.proto.query_string == f"campaign={campaign}&clip={clip}&step=video"


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


def test_what_fal_did_not_confirm_is_looked_for_and_never_sent_again(
    studio: Studio, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = datetime.now(UTC) - timedelta(minutes=2)
    lost = doubles.running(
        status="pending", fal_request_id=None, submit_attempted_at=sent, submitted_at=None, started_at=None
    )
    studio.open = [lost]
    monkeypatch.setattr(jobs, "check_again", lambda person, job_id: studio.get(person, job_id))
    app = open_page("jobs")
    assert "fal.ai did not answer clearly · we keep looking" in words_on(app).replace("\\", "")
    app.button(key=f"check-{lost.id}").click().run()
    assert [toast.value for toast in app.toast] == ["Nothing yet. We keep looking."]
    studio.open = [replace(lost, submit_attempted_at=datetime.now(UTC))]
    app.run()
    assert "Being sent" in words_on(app)
    assert not [button for button in app.button if button.label == "Check again"]
    assert studio.submitted == []


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


def test_chosen_jobs_go_into_one_zip_and_two_stand_side_by_side(studio: Studio, open_page: Open) -> None:
    pair = (
        doubles.output(url="https://files.example/a.png"),
        doubles.output(position=1, url="https://files.example/b.png"),
    )
    two, bad = doubles.job(outputs=pair), doubles.job(status="failed", error_message="fal.ai refused it.", outputs=())
    studio.finished = [two, bad, doubles.job()]
    app = open_page("jobs")
    app.toggle(key="jobs-selecting").set_value(True).run()
    for job in (two, bad, bad, bad):  # the last one is let go and chosen again
        app.button(key=f"open-jobs-{job.id}").click().run()
    assert f"/download/jobs?id={two.id}&amp;id={bad.id}" in words_on(app)
    app.button(key="compare-button").click().run()
    assert not app.exception

    def large() -> str:
        [zoom] = [html.value for html in app.html if 'class="zoom"' in html.value]
        return str(zoom)

    assert "/a.png" in large()
    assert r"fal\.ai refused it\." in words_on(app), "why there is nothing on the other side"
    assert [table.value.shape for table in app.table] == [(6, 1)] * 2
    app.button_group(key=f"compared-{two.id}").set_value(1).run()
    assert "/b.png" in large()


def pulses(app: AppTest) -> set[str]:
    """What on the page asks again by itself, while somebody looks."""
    return {name for html in app.get("html") for name in re.findall(r'data-pulse="(\w+)"', html.proto.body)}


def test_running_jobs_are_asked_for_again_only_while_there_are_any(studio: Studio, open_page: Open) -> None:
    app = open_page("jobs")
    assert pulses(app) == {"bar"}
    studio.open = [doubles.running()]
    app.run()
    assert pulses(app) == {"bar", "jobs"}
    studio.open = []
    app.button(key="pulse-jobs-button").click().run()
    assert pulses(app) == {"bar"}
