"""Campaigns through the whole product: from brief to export, chains, sharing, and inputs made from results."""

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from core import campaigns, inputs
from core.campaigns import Recipe, chain
from core.errors import InsufficientCredits, InvalidInput
from core.models import Person
from tests.integration.campaign_people import (
    archive,
    person_fixture,  # noqa: F401
    recipes,
)
from tests.integration.studio import Studio, studio  # noqa: F401


def finished(studio: Studio, person: Person, run: UUID) -> campaigns.Run:  # noqa: F811
    def ended() -> campaigns.Run | None:
        now = campaigns.get_run(person, run)
        return now if now.state != "running" else None

    found: campaigns.Run = studio.work_until(ended)
    return found


def test_a_campaign_from_brief_to_export(studio: Studio) -> None:  # noqa: F811
    person = studio.person(200)
    campaign = campaigns.create_campaign(person, "=Autumn & more", "Three clips about a cup.")
    for number in range(3):
        campaigns.add_clip(
            person,
            campaign.id,
            title=f"Clip {number}",
            script="=HYPERLINK(1) I made this cup.",
            recipes=recipes(person, f"Scene {number}"),
        )
    clips = campaigns.list_clips(person, campaign.id)
    estimate = campaigns.estimate(person, campaign.id, "first_frame", "transcript")
    assert (len(estimate.lines), estimate.problems, estimate.credits) == (15, (), 3 * (10 + 8 + 2 + 1 + 1))
    assert estimate.usd > Decimal("2.25")

    run = campaigns.start_run(
        person,
        campaign.id,
        "first_frame",
        "transcript",
        clip_ids=[clip.id for clip in clips],
        confirmed_credits=estimate.credits,
    )
    done = finished(studio, person, run.id)
    assert (done.state, done.done, done.used_credits) == ("finished", 3, estimate.credits)
    now = campaigns.get_campaign(person, campaign.id)
    assert (now.made_steps, now.wanted_steps, now.open_jobs, now.credits) == (15, 15, 0, 66)
    assert studio.refreshed(person).available == 134

    clip = campaigns.list_clips(person, campaign.id)[0]
    assert all(state.current and state.versions == 1 and not state.is_outdated for state in clip.steps)
    voice, ambient = clip.step("voice").current, clip.step("ambient").current
    assert voice is not None
    assert voice.job is not None
    assert ambient is not None
    assert ambient.job is not None
    assert voice.job.input_params["source_audio_url"].endswith(".wav")
    film = clip.step("video").current
    assert film is not None
    assert film.output is not None
    length = inputs.length(inputs.output_row(person, film.output.id))
    assert ambient.job.input_params["duration_seconds"] == pytest.approx(max(float(length), 0.5), abs=0.05)

    export = campaigns.export_campaign(person, campaign.id)
    assert export.file_name == "autumn-more.zip"
    content = archive(export.pieces)
    names = content.namelist()
    assert names[-2:] == ["manifest.json", "manifest.csv"]
    assert [name for name in names if name.startswith("02-")] == [
        "02-clip-1/1-first_frame-v1.png",
        "02-clip-1/2-video-v1.mp4",
        "02-clip-1/3-voice-v1.wav",
        next(name for name in names if name.startswith("02-clip-1/4-ambient-v1.")),
        "02-clip-1/5-transcript-v1.txt",
        "02-clip-1/5-transcript-v1.srt",
        "02-clip-1/5-transcript-v1.vtt",
    ]
    manifest = json.loads(content.read("manifest.json"))
    assert [clip["position"] for clip in manifest["clips"]] == [1, 2, 3]
    assert manifest["totals"]["credits"] == 66
    assert manifest["totals"]["versions"] == 15
    listed = {name for clip in manifest["clips"] for step in clip["steps"] for name in step["files"]}
    assert listed == set(names[:-2])
    rows = list(csv.DictReader(io.StringIO(content.read("manifest.csv").decode("utf-8-sig"))))
    assert len(rows) == 15
    assert {row["script"] for row in rows} == {"'=HYPERLINK(1) I made this cup."}
    assert sum(Decimal(row["usd"]) for row in rows) == Decimal(manifest["totals"]["usd"])
    assert studio.audit() == []


def test_a_run_stops_when_the_credits_run_out_and_goes_on_later(studio: Studio) -> None:  # noqa: F811
    person = studio.person(27)
    campaign = campaigns.create_campaign(person, "Short of credits")
    for number in range(3):
        campaigns.add_clip(
            person, campaign.id, recipes={"first_frame": recipes(person, f"Scene {number}")["first_frame"]}
        )
    clips = campaigns.list_clips(person, campaign.id)
    ids = campaigns.clips_to_make(clips, "first_frame")
    run = campaigns.start_run(person, campaign.id, "first_frame", clip_ids=ids, confirmed_credits=30)
    now = finished(studio, person, run.id)
    assert (now.state, now.done) == ("waiting", 2)
    (waiting,) = now.waiting
    assert (waiting.clip_id, waiting.reason_code) == (clips[2].id, "INSUFFICIENT_CREDITS")
    # Nothing of the person's own balance: the team may read it.
    assert waiting.reason == "This needs 10 credits, more than are left. Add some, then go on."
    studio.give(person.user_id, 3)
    left = campaigns.clips_to_make(campaigns.list_clips(person, campaign.id), "first_frame", only_missing=True)
    assert left == (clips[2].id,)
    campaigns.resume_run(person, run.id, confirmed_credits=30)
    assert finished(studio, person, run.id).state == "finished"
    assert studio.refreshed(person).available == 0


def test_a_clip_that_lacks_something_waits_and_the_others_go_on(studio: Studio, person: Person) -> None:  # noqa: F811
    campaign = campaigns.create_campaign(person, "One without a prompt")
    good = campaigns.add_clip(person, campaign.id, recipes=recipes(person))
    bad = campaigns.add_clip(person, campaign.id, recipes={"ambient": Recipe("ambient_elevenlabs")}, position=1)
    estimate = campaigns.estimate(person, campaign.id, "ambient")
    assert [(line.clip_id, line.problem) for line in estimate.problems] == [(bad.id, "Sound is missing.")]
    run = campaigns.start_run(person, campaign.id, "ambient", clip_ids=[bad.id, good.id], confirmed_credits=2)
    now = finished(studio, person, run.id)
    assert [(clip.clip_id, clip.state) for clip in now.clips] == [(bad.id, "waiting"), (good.id, "done")]
    assert now.clips[0].reason == "Sound is missing."


def test_a_step_says_when_what_it_was_made_from_has_changed(studio: Studio, person: Person) -> None:  # noqa: F811
    campaign = campaigns.create_campaign(person, "Versions")
    clip = campaigns.add_clip(person, campaign.id, recipes=recipes(person))
    for step in ("first_frame", "video"):
        studio.finish(person, campaigns.generate(person, clip.id, step))
    studio.finish(person, campaigns.generate(person, clip.id, "first_frame", expected_credits=10))
    now = campaigns.get_clip(person, clip.id)
    assert (now.step("video").is_outdated, now.step("first_frame").is_outdated) == (True, False)
    newest, oldest = campaigns.list_versions(person, clip.id, "first_frame")
    assert (newest.number, newest.is_current, oldest.number, oldest.is_current) == (2, True, 1, False)
    assert newest.job is not None
    assert (newest.job.prompt, newest.job.credits_charged) == ("A potter at the wheel", 10)
    assert newest.output is not None
    assert newest.output.url
    campaigns.make_current(person, oldest.id)
    assert not campaigns.get_clip(person, clip.id).step("video").is_outdated
    assert campaigns.list_versions(person, clip.id, "first_frame", before=2)[0].id == oldest.id


def test_a_step_without_its_source_is_refused_before_anything_is_held(person: Person, studio: Studio) -> None:  # noqa: F811
    campaign = campaigns.create_campaign(person, "Nothing yet")
    clip = campaigns.add_clip(person, campaign.id, recipes=recipes(person))
    before = studio.refreshed(person)
    with pytest.raises(InvalidInput) as refused:
        campaigns.generate(person, clip.id, "video")
    assert refused.value.field == "image_url"
    assert studio.refreshed(person) == before
    poor = studio.person(5)
    own = campaigns.add_clip(poor, campaigns.create_campaign(poor, "Poor").id, recipes=recipes(poor))
    with pytest.raises(InsufficientCredits):
        campaigns.generate(poor, own.id, "first_frame")


def test_a_person_who_was_switched_off_starts_nothing_more(studio: Studio) -> None:  # noqa: F811
    person = studio.person(100)
    campaign = campaigns.create_campaign(person, "Switched off")
    clip = campaigns.add_clip(person, campaign.id, recipes=recipes(person))
    run = campaigns.start_run(person, campaign.id, "first_frame", "video", clip_ids=[clip.id], confirmed_credits=50)
    studio.sql.execute("update public.profiles set is_active = false where user_id = %s", (person.user_id,))
    studio.beat()
    studio.sql.execute("update public.profiles set is_active = true where user_id = %s", (person.user_id,))
    now = campaigns.get_run(replace(person), run.id)
    assert [(clip.state, clip.reason_code) for clip in now.clips] == [("waiting", "NOT_ACTIVE")]
    stopped = campaigns.stop_run(person, run.id)
    assert (stopped.state, [clip.state for clip in stopped.clips]) == ("stopped", ["stopped"])


def test_one_clip_that_trips_the_worker_up_holds_up_no_other(
    studio: Studio,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = studio.person(100)
    campaign = campaigns.create_campaign(person, "Stumbling")
    bad, good = (campaigns.add_clip(person, campaign.id, title=title, recipes=recipes(person)) for title in "ab")
    run = campaigns.start_run(person, campaign.id, "first_frame", clip_ids=[bad.id, good.id], confirmed_credits=20)
    prepare, tried = chain.prepare, []

    def stumbling(*arguments: Any) -> Any:
        tried.append(arguments)
        if len(tried) == 1:
            raise RuntimeError("a bug")
        return prepare(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(chain, "prepare", stumbling)
        assert chain.carry_on() == 1
    first, second = campaigns.get_run(person, run.id).clips
    assert (first.clip_id, first.state, first.reason_code, second.state) == (bad.id, "due", "UNEXPECTED", "running")
    studio.sql.execute("update public.campaign_run_clips set due_at = now() where run_id = %s", (run.id,))
    assert finished(studio, person, run.id).state == "finished"
