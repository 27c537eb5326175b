"""The Campaigns page: the list, one campaign, its clips and steps, generating, versions, sharing."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from streamlit.testing.v1 import AppTest

from core import campaigns, jobs, offers
from core.campaigns import MODELS, Recipe, RunClip
from core.errors import Refused
from tests.unit.ui import campaign_doubles as made
from tests.unit.ui import doubles
from tests.unit.ui.campaign_doubles import Campaigns
from tests.unit.ui.studio import Open, Studio, words_on


@pytest.fixture
def known(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Campaigns:
    assert studio.person is not None
    known = Campaigns()
    for name in dir(known):
        if not name.startswith("_") and callable(getattr(known, name)):
            monkeypatch.setattr(campaigns, name, getattr(known, name))
    steps = {key: doubles.offer(key, credits=10, unit="request") for keys in MODELS.values() for key in keys}
    monkeypatch.setattr(offers, "offers", lambda: steps)
    return known


@pytest.fixture
def opened(known: Campaigns, open_page: Open) -> Any:
    """Opens the one campaign there is."""

    def opened(**query: str) -> AppTest:
        app = open_page("campaigns")
        app.query_params.clear()
        for key, value in {"campaign": str(known.all[0].id), **query}.items():
            app.query_params[key] = value
        app.run()
        assert not app.exception
        return app

    return opened


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def test_no_campaign_yet_invites(known: Campaigns, open_page: Open) -> None:
    app = open_page("campaigns")
    assert "No campaign yet" in words_on(app)
    press(app, "Start a campaign")
    app.text_input(key="campaign-name").input(" Autumn ")
    app.text_area(key="campaign-brief").input("Warm.")
    app.toggle(key="campaign-shared").set_value(True)
    press(app, "Create campaign")
    assert ("create", "Autumn", "Warm.", "team") in known.calls
    assert app.query_params["campaign"] == str(known.all[0].id)
    assert [title.value for title in app.title] == ["Autumn"]


def test_the_list_has_cards_and_an_archive(known: Campaigns, open_page: Open) -> None:
    film = doubles.output(media_type="video/mp4", url="https://files.example/1.mp4")
    cover = (doubles.output(), film, doubles.output(url=None))
    known.all = [made.campaign(cover=cover), made.campaign(name="Old", archived_at=doubles.NOON)]
    app = open_page("campaigns")
    assert [button.label for button in app.button if "Autumn" in button.label] == [r"Autumn, made by \*hand\*"]
    assert r"1 of 2 steps made · 10 credits · \$0\.15" in words_on(app)
    [cover] = [html.value for html in app.html if 'class="strip"' in html.value]
    assert (cover.count("<img"), cover.count("<video"), cover.count("unwanted")) == (1, 1, 1)
    assert "Autumn, made by *hand*, picture 1" in cover
    app.button_group(key="campaigns-where").set_value("archive").run()
    assert [button.label for button in app.button if button.label == "Old"]
    assert ("list", True, False, "") in known.calls


def test_an_unknown_campaign_is_said_and_forgotten(known: Campaigns, open_page: Open) -> None:
    assert known.all == []
    app = open_page("campaigns")
    app.query_params["campaign"] = "00000000-0000-4000-8000-00000000dead"
    app.run()
    assert "There is no such campaign" in app.info[0].value
    assert "campaign" not in app.query_params


def test_a_clip_row_shows_its_chain(known: Campaigns, opened: Any) -> None:
    clip = made.clip()
    late = replace(made.made(clip.id, "video"), is_outdated=True)
    clip = replace(clip, steps=(made.made(clip.id), late, *clip.steps[2:]))
    known.all, known.clips = [made.campaign()], [clip]
    shown = words_on(opened())
    assert "v1 · out of date" in shown
    assert "Left out" in shown
    assert "First frame of The kiln, version 1" in shown


def test_clips_are_moved_duplicated_and_deleted(known: Campaigns, opened: Any) -> None:
    first, second = made.clip(), made.clip(position=2, title="The hands")
    known.all, known.clips = [made.campaign(clips=2)], [first, second]
    app = opened()
    assert list(app.menu_button(key=f"clip-menu-{first.id}").options) == ["Edit", "Duplicate", "Move down", "Delete"]
    app.menu_button(key=f"clip-menu-{first.id}").click("down").run()
    app.menu_button(key=f"clip-menu-{second.id}").click("duplicate").run()
    app.menu_button(key=f"clip-menu-{second.id}").click("delete").run()
    assert known.calls[-3:] == [("move", first.id, 2), ("duplicate", second.id), ("delete", second.id)]


def test_a_new_clip_starts_with_every_step_for_a_phone(known: Campaigns, opened: Any) -> None:
    known.all = [made.campaign(clips=0)]
    app = press(opened(), "Add the first clip")
    areas = {area.label: area for area in app.text_area}
    areas["First frame prompt"].input("A vase")
    areas["Script"].input("Nine hours.")
    next(field for field in app.text_input if field.label == "Title").input("The kiln")
    press(app, "Add clip")
    name, title, script, recipes = known.calls[-1]
    assert (name, title, script) == ("add_clip", "The kiln", "Nine hours.")
    assert list(recipes) == ["first_frame", "video", "voice", "ambient", "transcript"]
    assert recipes["first_frame"] == Recipe("image_hd", {"aspect_ratio": "9:16", "prompt": "A vase"})
    assert recipes["video"] == Recipe("video_veo31_fast", {})


def test_editing_a_clip_writes_only_what_changed(known: Campaigns, opened: Any) -> None:
    clip = made.clip()
    known.all, known.clips = [made.campaign()], [clip]
    app = opened(clip=str(clip.id))
    next(area for area in app.text_area if area.label == "Video prompt").input("Pan left")
    app.button_group(key=f"clip-{clip.id}-3-steps").set_value(["video", "voice"])
    press(app, "Save clip")
    [changes] = [call[1] for call in known.calls if call[0] == "edit_clip"]
    assert changes["revision"] == 3
    assert changes["recipes"] == {
        "video": Recipe("video_veo31_fast", {"prompt": "Pan left"}),
        "voice": Recipe("voice_chatterbox", {}),
        "first_frame": None,
    }


def test_a_step_is_generated_at_the_price_that_was_shown(known: Campaigns, opened: Any) -> None:
    clip = made.clip()
    known.all, known.clips = [made.campaign()], [clip]
    app = opened(clip=str(clip.id), step="first_frame")
    assert r"**10 credits**" in words_on(app)
    next(area for area in app.text_area if area.label == "Prompt").input("Another vase").run()
    press(app, "Generate first frame")
    recipe = Recipe("image_hd", {"prompt": "Another vase", "aspect_ratio": "9:16"})
    assert known.calls[-2:] == [
        ("edit_clip", {"recipes": {"first_frame": recipe}, "revision": 3}),
        ("generate", clip.id, "first_frame", 10),
    ]


def test_a_refusal_stays_beside_the_form(known: Campaigns, opened: Any) -> None:
    clip = made.clip()
    known.all, known.clips = [made.campaign()], [clip]
    app = opened(clip=str(clip.id), step="first_frame")
    known.refuses = Refused("Somebody was quicker. Look again.")
    press(app, "Generate first frame")
    assert r"**Somebody was quicker\.** Look again\." in [error.value for error in app.error]


def test_versions_are_compared_and_made_current(known: Campaigns, opened: Any) -> None:
    clip = made.clip()
    old = made.version(clip.id, "first_frame", 1, is_current=False)
    state = made.made(clip.id, versions=2, current=made.version(clip.id, "first_frame", 2))
    clip = replace(clip, steps=(state, *clip.steps[1:]))
    assert state.current is not None
    known.all, known.clips, known.versions = [made.campaign()], [clip], [old, state.current]
    app = opened(clip=str(clip.id), step="first_frame")
    assert "Version 2 · current" in words_on(app)
    app.button_group(key=f"version-{clip.id}-first_frame").set_value(1).run()
    app.toggle(key=f"beside-{clip.id}-first_frame").set_value(True).run()
    assert {"Version 1", "Version 2 · current"} <= {
        text.value.removeprefix(":small[:gray[").removesuffix("]]") for text in app.markdown
    }
    press(app, "Make current")
    assert known.calls[-1] == ("make_current", old.id, None)


def test_a_version_tells_its_job_and_goes_on_as_input(known: Campaigns, opened: Any) -> None:
    clip = made.clip()
    job = doubles.job(generation_type="image_hd", input_params={"prompt": "A vase"}, result_data={"seed": 77})
    state = made.made(clip.id, current=made.version(clip.id, "first_frame", job=job))
    assert state.current is not None
    known.all, known.clips = [made.campaign()], [replace(clip, steps=(state, *clip.steps[1:]))]
    known.versions = [state.current]
    app = opened(clip=str(clip.id), step="first_frame")
    [facts] = [table.value for table in app.table]
    told = {str(name): str(value) for name, value in facts.iloc[:, 0].items()}
    assert told[":gray[Prompt]"] == "A vase"
    assert told[":gray[Seed]"] == "77"
    assert r"\$0\.006, confirmed by fal\.ai" in told[":gray[Cost]"]
    assert {"Use again", "Open job"} <= {button.label for button in app.button}
    app.menu_button(key=f"use-{job.id}").click("video_veo31_fast").run()
    assert app.session_state["gen-model-video"] == "video_veo31_fast"


def test_every_version_can_be_reached(known: Campaigns, opened: Any) -> None:
    clip = made.clip()
    numbered = [made.version(clip.id, "first_frame", n, is_current=n == 30) for n in range(1, 31)]
    state = made.made(clip.id, versions=30, current=numbered[-1])
    known.all, known.clips = [made.campaign()], [replace(clip, steps=(state, *clip.steps[1:]))]
    known.versions = numbered
    app = opened(clip=str(clip.id), step="first_frame")
    key = f"version-{clip.id}-first_frame"
    assert app.button_group(key=key).options[-1] == "v7"
    press(app, "Older")
    assert app.button_group(key=key).options[-1] == "v1"
    assert "Older" not in [button.label for button in app.button]


def test_all_clips_are_generated_after_one_total(known: Campaigns, opened: Any) -> None:
    known.clips = [made.clip(), made.clip(position=2, title="The hands")]
    known.all = [made.campaign(clips=2)]
    app = press(opened(), "Generate clips")
    assert r"**20 credits** · about \$0\.30 · 63 credits left after" in words_on(app)
    press(app, "Generate 2 first frames")
    ids = tuple(clip.id for clip in known.clips)
    assert known.calls[-1] == ("start_run", "first_frame", "first_frame", ids, 20)


def test_a_chain_stays_within_the_amount_that_was_confirmed(known: Campaigns, opened: Any) -> None:
    known.all, known.clips = [made.campaign()], [made.clip()]
    app = press(opened(), "Generate clips")
    app.toggle(key="run-chain").set_value(True).run()
    assert app.number_input(key="run-amount-20").value == 20
    app.number_input(key="run-amount-20").set_value(15).run()
    press(app, "Generate 1 clip from first frame to video")
    assert known.calls[-1] == ("start_run", "first_frame", "video", (known.clips[0].id,), 15)


def test_a_run_that_waited_for_credits_says_when_there_are_enough(
    studio: Studio, known: Campaigns, opened: Any
) -> None:
    clip = made.clip()
    short = "This needs 10 credits, more than are left. Add some, then go on."
    waits = RunClip(clip.id, 1, "video", "waiting", "INSUFFICIENT_CREDITS", short, None)
    known.all, known.clips = [made.campaign()], [clip]
    known.run = made.run(known.all[0].id, waits, state="waiting")
    known.all[0] = replace(known.all[0], run_id=known.run.id)
    studio.person = doubles.person(available=9)
    said = words_on(opened())
    assert "more than are left" in said
    assert "Buy 100 credits" in said
    studio.person = doubles.person(available=109)
    said = words_on(opened())
    assert r"The kiln, video\: there are enough credits now\. Press Go on\." in said
    assert "Buy 100 credits" not in said


def test_a_run_says_which_clips_wait_and_why(studio: Studio, known: Campaigns, opened: Any) -> None:
    clip = made.clip()
    studio.person = doubles.person(available=2)
    waits = RunClip(clip.id, 1, "video", "waiting", "INSUFFICIENT_CREDITS", "You are 8 credits short.", None)
    known.all, known.clips = [made.campaign()], [clip]
    known.run = made.run(known.all[0].id, waits, state="waiting")
    known.all[0] = replace(known.all[0], run_id=known.run.id)
    app = opened()
    assert "Waiting for you · First frame to video" in words_on(app)
    assert r"The kiln, video\: You are 8 credits short\." in words_on(app)
    app.number_input(key=f"run-more-{known.run.id}").set_value(80)
    press(app, "Go on with these clips")
    assert known.calls[-1] == ("resume_run", known.run.id, 80)
    app.button(key="run-stop").click().run()
    assert known.calls[-1] == ("stop_run", known.run.id)
    known.all[0] = replace(known.all[0], may_change=False, visibility="team")
    assert "Waiting for Mara Costa · First frame to video" in words_on(opened())


def test_a_chain_tells_its_steps_and_each_job_can_be_cancelled(
    known: Campaigns, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = made.clip()
    mine, other = doubles.running(user_id=doubles.ME), doubles.running(user_id=UUID(int=7))
    state = replace(clip.step("video"), open_jobs=(mine, other))
    clip = replace(clip, steps=(clip.steps[0], state, *clip.steps[2:]))
    done = RunClip(clip.id, 1, "video", "running", None, None, mine.id)
    known.all, known.clips = [made.campaign()], [clip]
    known.run = made.run(known.all[0].id, done, replace(done, clip_id=UUID(int=9)))
    known.all[0] = replace(known.all[0], run_id=known.run.id)
    asked: list[UUID] = []
    monkeypatch.setattr(jobs, "cancel", lambda _person, job_id: asked.append(job_id) or mine)
    app = opened()
    assert "1 of 2 steps made · 0 of 2 clips done · 24 of 60 confirmed credits used" in words_on(app)
    assert [button.key for button in app.button if button.label == "Cancel"] == [f"cancel-{mine.id}"]
    assert app.button(key="pulse-campaign-button"), "asked for again while somebody looks"
    app.button(key=f"cancel-{mine.id}").click().run()
    assert asked == [mine.id]


def test_sharing_is_one_switch(known: Campaigns, opened: Any) -> None:
    known.all, known.clips = [made.campaign()], [made.clip()]
    app = opened()
    app.toggle(key=f"campaign-shared-{known.all[0].id}").set_value(True).run()
    assert known.calls[-1] == ("edit_campaign", {"visibility": "team"})


@pytest.mark.parametrize("changes", [{"may_change": False, "visibility": "team"}, {"archived_at": doubles.NOON}])
def test_who_may_only_look_finds_nothing_to_change(known: Campaigns, opened: Any, changes: dict[str, Any]) -> None:
    clip = made.clip()
    known.all, known.clips = [made.campaign(**changes)], [clip]
    app = opened()
    assert not app.menu_button
    assert not {"Add a clip", "Generate clips"} & {button.label for button in app.button}
    app = opened(clip=str(clip.id), step="first_frame")
    assert "Made with" in words_on(app)
    assert not {"Save", "Leave out", "Generate first frame"} & {button.label for button in app.button}
    assert f"/download/campaign/{known.all[0].id}" in words_on(app)


def test_a_long_brief_is_folded(known: Campaigns, opened: Any) -> None:
    known.all = [made.campaign(brief="Warm. " * 200, clips=0)]
    app = opened()
    assert [expander.label for expander in app.expander] == ["Brief"]


def test_a_shared_result_shows_its_job_and_not_what_happened_to_its_maker(
    studio: Studio, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = doubles.job(user_id=UUID(int=7), started_at=doubles.NOON)
    studio.finished = [shared]
    monkeypatch.setattr(jobs, "story", lambda _person, _job: ())  # the log is its maker's
    app = open_page(job=str(shared.id))
    assert "Prompt" in words_on(app)
    assert "Story" not in words_on(app)
