"""A job in words: its title, its state, its cost, its story."""

from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from core.models import Budget
from tests.unit.ui.doubles import NOON, event, job, output, person, running
from ui import cost_line, describe, meter, sentences, shell, story


def test_titles_come_from_the_prompt() -> None:
    assert describe.title(job()) == "Three glazed spheres on linen"
    assert describe.title(job(generation_type="ambient_elevenlabs", input_params={"text": "Rain"})) == "“Rain”"
    assert describe.title(job(generation_type="model_2d_to_3d", input_params={})) == "3D by Trellis"


def test_a_type_that_left_the_catalogue_is_told_by_its_output() -> None:
    gone: dict[str, Any] = {"generation_type": "left_long_ago", "input_params": {}}
    assert describe.kind(job(**gone, outputs=(output(media_type="audio/wav"),))) == "Voice"
    assert describe.kind(job(**gone, outputs=(output(media_type="model/gltf-binary"),))) == "3D"
    assert describe.kind(job(**gone, outputs=())) == "Image"
    assert describe.model(job(**gone)) == "left_long_ago"


def test_captions_have_kind_length_and_age() -> None:
    assert describe.caption(job(), NOON, UTC) == "Image · 2 min ago"
    assert describe.caption(job(outputs=(output(), output(position=1))), NOON, UTC) == "2 images · 2 min ago"
    video = job(generation_type="video_veo31_fast", outputs=(output(duration_seconds=Decimal("5.04")),))
    assert describe.caption(video, NOON, UTC) == "Video 0:05 · 2 min ago"
    assert describe.caption(job(status="failed", outputs=()), NOON, UTC) == "Image · Failed · 2 min ago"
    late = job(status="failed", is_late=True)
    assert describe.caption(late, NOON, UTC) == "Image · Delivered late · 2 min ago"


def test_a_video_whose_length_fal_does_not_tell_has_the_one_that_was_asked_for() -> None:
    veo: dict[str, Any] = {"generation_type": "video_veo31_fast", "input_params": {"prompt": "A pan", "duration": 6}}
    film = (output(media_type="video/mp4"),)
    assert describe.caption(job(**veo, outputs=film), NOON, UTC) == "Video 0:06 · 2 min ago"
    assert describe.length(job(**veo, outputs=())) is None
    assert describe.length(job(generation_type="video_luma", outputs=film)) is None


def test_settings_are_told_as_the_form_calls_them() -> None:
    given = {"prompt": "A cup", "shape": "tall", "num_images": 2, "steps": 28, "guidance": 3.5, "seed": 7}
    made = job(generation_type="image_flux_dev", input_params=given)
    assert describe.settings(made) == "Tall 9:16 · steps 28 · guidance 3.5"
    assert (describe.seed(made), describe.seed(replace(made, result_data={"seed": 0}))) == ("7", "0")
    silent = {"prompt": "A pan", "image_url": "https://v3.fal.media/a.png", "duration": 4, "generate_audio": False}
    filmed = job(generation_type="video_veo31_fast", input_params=silent)
    assert describe.settings(filmed) == "4 s · sound off"
    assert describe.settings(job(generation_type="left_long_ago")) is None


def test_captions_say_what_was_tried_again() -> None:
    first = job(status="failed", outputs=(), retried_as=uuid4())
    assert describe.caption(first, NOON, UTC) == "Failed · tried again · 2 min ago"
    second = job(retried_from=first.id, is_automatic_retry=True)
    assert describe.caption(second, NOON, UTC) == "Image · tried again by itself · 2 min ago"
    by_hand = job(retried_from=first.id)
    assert describe.caption(by_hand, NOON, UTC) == "Image · 2 min ago"


def test_the_story_of_a_try_that_nobody_asked_for() -> None:
    first = job(status="failed", outputs=(), error_message="A machine broke.", started_at=None)
    told = story.steps(first, [event("created", 0), event("failed", 8), event("retried", 8, by="worker")])
    assert [step.title for step in told] == ["Asked for", "Failed", "Tried again by itself"]
    assert story.steps(first, [event("retried", 8, by="person")])[0].title == "Tried again"
    second = job(retried_from=first.id, is_automatic_retry=True, started_at=None)
    assert story.steps(second, [event("created", 0, by="worker")])[0].title == "Tried again by itself"
    refused = story.steps(first, [event("not_retried", 8, message="You have too few credits.")])
    assert refused[0][1:3] == ("Not tried again by itself", "You have too few credits.")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "submitted", "queue_position": 2, "expected_seconds": 120}, "In line · position 3 · about 2 min"),
        ({"status": "submitted", "queue_position": None}, "In line · about 5 s"),
        (
            {
                "progress": Decimal("0.62"),
                "started_at": NOON - timedelta(seconds=66),
                "expected_seconds": 120,
            },
            "Rendering · 62% · about 45 s left",
        ),
        (
            {"started_at": NOON - timedelta(seconds=80), "expected_seconds": 120},
            "Rendering · about 40 s left",
        ),
        ({"started_at": NOON - timedelta(seconds=80)}, "Rendering · a little longer than usual"),
        (
            {"started_at": NOON - timedelta(seconds=80), "progress": Decimal("0.8")},
            "Rendering · 80% · about 20 s left",
        ),
        ({"cancel_requested_at": NOON}, "Cancelling · waiting for fal.ai to confirm"),
        ({"status": "pending", "submit_attempted_at": None, "fal_request_id": None}, "Waiting to be sent"),
        (
            {"status": "pending", "fal_request_id": None},
            "fal.ai did not answer clearly · we keep looking",
        ),
    ],
)
def test_state_lines(changes: dict[str, Any], said: str) -> None:
    assert describe.state(running(**changes), NOON) == said


def test_a_finished_job_is_just_done() -> None:
    assert describe.state(job(), NOON) == "Done"


def test_the_bar_follows_fal_and_is_never_full_before_the_end() -> None:
    assert describe.progress(running(progress=Decimal("0.62")), NOON) == 0.62
    assert describe.progress(running(progress=Decimal("1.7")), NOON) == 1.0
    assert describe.progress(running(started_at=NOON - timedelta(hours=1)), NOON) == 0.95
    assert describe.progress(running(status="submitted", started_at=None), NOON) == 0.0


def test_cost_says_how_sure_it_is() -> None:
    assert describe.cost(running()) == "About $0.006"
    assert describe.cost(job(cost_source="metered", actual_usd=Decimal("0.35"))) == "$0.35, metered by fal.ai"
    assert describe.cost(job(actual_usd=Decimal("0.35"))) == "$0.35, confirmed by fal.ai"
    unbilled: dict[str, Any] = {"status": "failed", "actual_usd": Decimal(0), "cost_source": "estimated"}
    assert describe.cost(job(**unbilled)) == "Nothing"
    assert describe.cost(job(**unbilled | {"actual_usd": None})) == "About $0.006"
    assert describe.cost_usd(job(**unbilled)) == 0
    assert describe.cost_usd(job(**unbilled | {"actual_usd": None})) == Decimal("0.006")


def test_what_was_tried_again_is_not_to_be_tried_again() -> None:
    broken = "Something broke. Nothing was charged. Try again."
    assert describe.trouble(job(status="failed", error_message=broken)) == broken
    again = job(status="failed", error_message=broken, retried_as=uuid4())
    assert describe.trouble(again) == "Something broke. Nothing was charged. It was tried again."
    assert describe.trouble(job()) is None


def test_credits_of_a_job() -> None:
    assert describe.charged(running(credits_held=25)) == "25 credits set aside"
    assert describe.charged(job()) == "1 credit"
    assert describe.charged(job(status="failed", credits_charged=0, credits_held=25)) == "Nothing, 25 credits returned"
    assert describe.charged(job(is_late=True, credits_charged=0)) == "Nothing, it came late"
    assert describe.charged(job(credits_held=0, credits_charged=0)) == "0 credits"


def test_only_web_addresses_are_loaded() -> None:
    assert describe.is_web("https://files.example/1.png")
    assert not any(describe.is_web(url) for url in (None, "", "/etc/passwd", "file:///etc/passwd", "javascript:1"))


def test_the_story_of_a_delivered_job() -> None:
    told = story.steps(
        job(credits_held=25, credits_charged=25),
        [
            event("created", 0),
            event("submitted", 1, message="7f3c0000-0000-0000-0000-00000000a91e"),
            event("completed", 8),
            event("cost_confirmed", 12),
        ],
    )
    assert [(step.title, step.note) for step in told] == [
        ("Asked for", "25 credits set aside"),
        ("Sent to fal.ai", "Request 7f3c…a91e"),
        ("Waited in line", "2 s"),
        ("Rendered", "5 s"),
        ("Delivered", "25 credits charged"),
        ("Cost confirmed", "$0.006, confirmed by fal.ai"),
    ]


def test_the_story_of_trouble() -> None:
    failed = job(status="failed", credits_charged=0, credits_held=25, started_at=None, outputs=())
    told = story.steps(
        failed,
        [event("created", 0), event("unclear", 3, message="We keep looking."), event("failed", 90), event("later", 99)],
    )
    assert [(step.title, step.note, step.is_trouble) for step in told] == [
        ("Asked for", "25 credits set aside", False),
        ("No clear answer", "We keep looking.", True),
        ("Failed", "25 credits returned", True),
    ]


def test_sentences_are_set_with_the_first_part_bold() -> None:
    assert sentences.marked("fal.ai refused. Nothing was charged.") == r"**fal\.ai refused\.** Nothing was charged\."
    assert sentences.marked("One *thing*.") == r"**One \*thing\*\.**"
    assert sentences.marked("no end") == "no end"


def test_every_sign_in_code_of_core_has_a_sentence() -> None:
    from inspect import getsource
    from re import findall

    from core import mailed_links, passwords, sessions
    from ui import mailed_links as pages

    codes = {
        code
        for one in (sessions, mailed_links, passwords, pages)
        for code in findall(r'code="([A-Z_]+)"', getsource(one))
    }
    assert codes
    assert codes <= set(sentences.SIGN_IN_ERRORS)


def test_simulated_mails_are_a_click_away_and_never_where_mails_are_real() -> None:
    from dataclasses import replace

    from core.settings import get_settings
    from ui import signin

    simulated = replace(get_settings(), app_env="local", simulated=("Supabase",), supabase_url="http://127.0.0.1:8610")
    mails = signin._simulated_mails(simulated)
    assert mails == "http://127.0.0.1:8610/_sim/mails"
    assert f"[read it]({mails})" in (sentences.sign_in_notice("reset_sent", mails) or "")
    assert "mail" not in (sentences.sign_in_notice("signed_up", mails) or "").replace("email", "")
    for real in (replace(simulated, app_env="production"), replace(simulated, simulated=("fal.ai",))):
        assert signin._simulated_mails(real) == ""
    assert "(" not in (sentences.sign_in_notice("reset_sent", "") or "")
    assert "Open the link in our mail" in (sentences.sign_in_notice("signed_up", "") or "")
    assert sentences.sign_in_notice("[x](http://evil.test)", mails) is None


def test_the_cost_line() -> None:
    from core.models import Quote

    quote = Quote("image_flux_schnell", 1, 25, Decimal(2), Decimal("0.003"), Decimal("0.35"))
    assert cost_line.text(person(), quote, 1) == r"**25 credits** · about \$0\.35 · 58 credits left after"
    assert cost_line.text(person(available=1), quote, 1) == r"**25 credits** · about \$0\.35 · :red[24 credits short]"
    assert cost_line.text(person(is_unmetered=True), quote, 2).startswith(r"**No credits** · about \$0\.70")
    assert cost_line.button("image", 2) == "Generate 2 images"
    assert cost_line.button("video", 1) == "Generate video"


def test_why_the_button_is_off() -> None:
    assert cost_line.off_reason(person(available=0)) == ""
    assert "locked" in cost_line.off_reason(person(fal_lock_reason="Exhausted balance."))


def test_the_budget_in_words() -> None:
    assert shell.budget_words(person().budget) == "$20.80 left"
    assert shell.budget_words(Budget(spent=Decimal("3.5"))) == "$3.50 spent"
    assert meter.sentence(person().budget) == r"**42% left.** An alert goes to admins below \$12\.50."
    low = Budget(spent=Decimal(45), amount=Decimal(50), taken_at=NOON, remaining=Decimal(5))
    assert meter.sentence(low).startswith("**10% left.** Below")
    assert meter.sentence(Budget(spent=Decimal(1))).startswith("No balance")
