"""Campaigns through the whole product: from brief to export, chains, sharing, and inputs made from results."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from core import campaigns, inputs, jobs, zips
from core.campaigns import STEPS, Recipe, Step, chain
from core.errors import InsufficientCredits, InvalidInput, NotAllowed, NotFound, Refused
from core.models import Person
from tests.integration.studio import Studio, studio  # noqa: F401
from tests.pictures import jpeg, wav


@pytest.fixture(scope="module")
def person(studio: Studio) -> Person:  # noqa: F811
    return studio.person(5000)


def recipes(person: Person, scene: str = "A potter at the wheel") -> dict[Step, Recipe]:
    """A clip that wants all five steps."""
    return {
        "first_frame": Recipe("first_frame", {"prompt": scene, "image_urls": [inputs.picture(person, jpeg()).url]}),
        "video": Recipe("video_veo31_fast", {"prompt": f"{scene}, speaking to us", "duration": 4}),
        "voice": Recipe("voice_chatterbox", {"target_voice": "Siobhan"}),
        "ambient": Recipe("ambient_elevenlabs", {"text": "A quiet workshop"}),
        "transcript": Recipe("transcribe_whisper"),
    }


def finished(studio: Studio, person: Person, run: UUID) -> campaigns.Run:  # noqa: F811
    def ended() -> campaigns.Run | None:
        now = campaigns.get_run(person, run)
        return now if now.state != "running" else None

    found: campaigns.Run = studio.work_until(ended)
    return found


def archive(pieces: Any) -> zipfile.ZipFile:
    with zips.to_file(pieces) as file:
        content = zipfile.ZipFile(io.BytesIO(file.read()))
    assert content.testzip() is None
    return content


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


def test_a_recording_of_ones_own_takes_the_place_of_the_step_before(studio: Studio, person: Person) -> None:  # noqa: F811
    recording = inputs.recording(person, wav(seconds=2))
    assert recording.duration_seconds == Decimal("2.000")
    campaign = campaigns.create_campaign(person, "My own voice")
    recipe = Recipe("voice_chatterbox", {"source_audio_url": recording.url})
    clip = campaigns.add_clip(
        person, campaign.id, recipes={"voice": recipe, "transcript": Recipe("transcribe_whisper")}
    )
    for step in ("voice", "transcript"):
        studio.finish(person, campaigns.generate(person, clip.id, step))
    now = campaigns.get_clip(person, clip.id)
    voice, transcript = now.step("voice").current, now.step("transcript").current
    assert voice is not None
    assert voice.made_from is None
    assert transcript is not None
    assert transcript.made_from == voice.id
    assert transcript.job is not None
    assert (transcript.job.result_data or {})["text"]


def test_the_same_file_is_sent_once(studio: Studio) -> None:  # noqa: F811
    person, other = studio.person(0), studio.person(0)
    first = inputs.picture(person, jpeg(400, 300))
    assert inputs.picture(person, jpeg(400, 300)) == first
    assert inputs.picture(other, jpeg(400, 300)).url != first.url
    assert [file.url for file in inputs.recent(person)] == [first.url]
    studio.sql.execute("update public.input_files set expires_at = now() where user_id = %s", (person.user_id,))
    assert inputs.recent(person) == ()
    assert inputs.picture(person, jpeg(400, 300)).url != first.url


def test_results_as_inputs(studio: Studio, person: Person) -> None:  # noqa: F811
    campaign = campaigns.create_campaign(person, "Results as inputs")
    clip = campaigns.add_clip(person, campaign.id, recipes=recipes(person))
    for step in ("first_frame", "video"):
        studio.finish(person, campaigns.generate(person, clip.id, step))
    version = campaigns.get_clip(person, clip.id).step("video").current
    assert version is not None
    assert version.output is not None
    film = version.output
    assert inputs.from_output(person, film.id).url == film.source_url
    last = inputs.frame(person, film.id)
    assert (last.media_type, last.width, last.height) == (
        "image/png",
        film.width or last.width,
        film.height or last.height,
    )
    assert inputs.frame(person, film.id) == last, "taken once"
    assert inputs.frame(person, film.id, "first").url != last.url
    assert inputs.frame(person, film.id, Decimal("0.2")).url != last.url
    with pytest.raises(InvalidInput):
        inputs.frame(person, film.id, Decimal(60))
    assert inputs.sound(person, film.id).media_type == "audio/wav"
    # What fal.ai may have thrown away is sent again from our own copy.
    studio.sql.execute(
        "update public.job_outputs set created_at = now() - interval '30 days' where id = %s", (film.id,)
    )
    again = inputs.from_output(person, film.id)
    assert again.url != film.source_url
    assert inputs.from_output(person, film.id) == again
    with pytest.raises(NotFound):
        inputs.from_output(studio.person(0), film.id)


def test_the_team_looks_and_does_not_touch(studio: Studio, person: Person) -> None:  # noqa: F811
    other = studio.person(100)
    campaign = campaigns.create_campaign(person, "Shared")
    clip = campaigns.add_clip(person, campaign.id, recipes=recipes(person))
    done = studio.finish(person, campaigns.generate(person, clip.id, "first_frame"))
    for look in (
        lambda: campaigns.get_campaign(other, campaign.id),
        lambda: campaigns.get_clip(other, clip.id),
        lambda: jobs.get(other, done.id),
        lambda: campaigns.generate(other, clip.id, "first_frame"),
    ):
        with pytest.raises(NotFound):
            look()
    assert campaign.id not in [found.id for found in campaigns.list_campaigns(other).campaigns]
    assert campaigns.edit_campaign(person, campaign.id, visibility="team").visibility == "team"
    seen = campaigns.get_campaign(other, campaign.id)
    assert (seen.may_change, seen.owner_name, seen.credits) == (False, "Ada Maker", 10)
    version = campaigns.get_clip(other, clip.id).step("first_frame").current
    assert version is not None
    assert version.output is not None
    assert version.output.url
    assert b"".join(zips.chunks(version.output))[:8] == b"\x89PNG\r\n\x1a\n"
    assert archive(campaigns.export_campaign(other, campaign.id).pieces).namelist()
    for touch in (
        lambda: campaigns.edit_campaign(other, campaign.id, visibility="private"),
        lambda: campaigns.edit_clip(other, clip.id, script="Mine"),
        lambda: campaigns.delete_clip(other, clip.id),
        lambda: campaigns.make_current(other, version.id),
        lambda: campaigns.generate(other, clip.id, "first_frame"),
        lambda: campaigns.start_run(other, campaign.id, "ambient", clip_ids=[clip.id], confirmed_credits=5),
    ):
        with pytest.raises(NotAllowed):
            touch()
    copy = inputs.from_output(other, version.output.id)
    assert copy.url == version.output.source_url


def test_lists_go_on_where_they_stopped(studio: Studio) -> None:  # noqa: F811
    person = studio.person(0)
    made = [campaigns.create_campaign(person, f"Number {number} 100%").id for number in range(5)]
    # Created in one moment: the ids decide, and none is shown twice or left out.
    studio.sql.execute("update public.campaigns set created_at = now() where owner_id = %s", (person.user_id,))
    found, cursor = [], None
    while True:
        page = campaigns.list_campaigns(person, mine=True, cursor=cursor, limit=2)
        found += [campaign.id for campaign in page.campaigns]
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(found) == sorted(made)
    assert len(found) == 5
    assert campaigns.list_campaigns(person, mine=True, text="2 100%").campaigns[0].id == made[2]
    assert campaigns.list_campaigns(person, mine=True, text="_").campaigns == ()
    campaigns.edit_campaign(person, made[0], archived=True)
    assert [campaign.id for campaign in campaigns.list_campaigns(person, mine=True, archived=True).campaigns] == made[
        :1
    ]
    with pytest.raises(InvalidInput):
        campaigns.list_campaigns(person, cursor="nonsense")


def test_editing_clips(studio: Studio, person: Person) -> None:  # noqa: F811, ARG001
    campaign = campaigns.create_campaign(person, "Editing", campaign_id=uuid4())
    first = campaigns.add_clip(
        person, campaign.id, title="First", recipes={"video": Recipe("video_luma", {"prompt": ""})}
    )
    assert first.step("video").recipe == Recipe("video_luma", {})
    assert first.step("voice").recipe is None
    second = campaigns.duplicate_clip(person, first.id)
    campaigns.move_clip(person, second.id, 1)
    changed = campaigns.edit_clip(
        person,
        second.id,
        script="Hello",
        recipes={"video": None, "ambient": Recipe("ambient_elevenlabs", {"text": "Sea"})},
        revision=second.revision,
    )
    assert (changed.step("video").recipe, changed.script, changed.title) == (None, "Hello", "First")
    assert changed.step("ambient").recipe == Recipe("ambient_elevenlabs", {"text": "Sea"})
    with pytest.raises(Refused) as refused:
        campaigns.edit_clip(person, second.id, script="Late", revision=second.revision)
    assert refused.value.code == "CHANGED_MEANWHILE"
    for recipe in (Recipe("video_luma"), Recipe("ambient_elevenlabs", {"duration_seconds": 60})):
        with pytest.raises(InvalidInput):
            campaigns.edit_clip(person, second.id, recipes={"ambient": recipe})
    assert [clip.id for clip in campaigns.list_clips(person, campaign.id)] == [second.id, first.id]
    campaigns.delete_clip(person, second.id)
    assert [clip.id for clip in campaigns.list_clips(person, campaign.id, deleted=True)] == [second.id]
    assert campaigns.restore_clip(person, second.id).position == 2
    with pytest.raises(Refused):
        campaigns.export_campaign(person, campaign.id)
    assert len(STEPS) == len(changed.steps)


def test_many_outputs_as_one_zip(studio: Studio, person: Person) -> None:  # noqa: F811
    stranger = studio.person(0)
    made = [
        studio.finish(person, jobs.submit(person, "image_flux_schnell", {"prompt": "Twin cups / CON"})),
        studio.finish(
            person, jobs.submit(person, "transcribe_whisper", {"audio_url": inputs.recording(person, wav()).url})
        ),
    ]
    ids = [job.id for job in made]
    names = archive(zips.of_jobs(person, ids)).namelist()
    assert len(names) == len(set(names)) == 5
    assert sum("twin-cups-con" in name for name in names) == 2
    with pytest.raises(InvalidInput):
        zips.of_jobs(stranger, ids)
    with pytest.raises(InvalidInput):
        zips.of_jobs(person, ids * 60)


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
