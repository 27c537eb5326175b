"""Campaigns by hand: clips edited, files of one's own, results as inputs, and what the team sees."""

from decimal import Decimal
from uuid import uuid4

import pytest

from core import campaigns, inputs, jobs, zips
from core.campaigns import STEPS, Recipe
from core.errors import InvalidInput, NotAllowed, NotFound, Refused
from core.models import Person
from tests.integration.campaign_people import (
    archive,
    person_fixture,  # noqa: F401
    recipes,
)
from tests.integration.studio import Studio, studio  # noqa: F401
from tests.pictures import jpeg, wav


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
