"""The clips of a campaign: their order, their steps and words, and edits at once."""

import random
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import CheckViolation

from core.campaigns.steps import SOURCES, STEPS
from tests.database.books import Books, code_of, refused
from tests.database.campaigns import clips_of, create, make, new_campaign, new_clip, recipe, versions


def clip_row(books: Books, clip: UUID) -> dict[str, Any]:
    return books.one("select * from campaign_clips where id = %s", clip)


def test_clips_stand_in_order(books: Books) -> None:
    user = books.person()
    campaign = new_campaign(books, user)
    a, b, c = (new_clip(books, user, campaign) for _ in range(3))
    first = new_clip(books, user, campaign, p_position=1)
    middle = new_clip(books, user, campaign, p_position=3)
    end = new_clip(books, user, campaign, p_position=99)
    assert clips_of(books, campaign) == [first, a, middle, b, c, end]


@pytest.mark.parametrize(
    ("moved", "to", "order"),
    [(0, 3, "bcad"), (3, 1, "dabc"), (1, 3, "acbd"), (2, 2, "acbd"), (0, 1, "abcd"), (0, 99, "bcda"), (3, -5, "dabc")],
)
def test_moving_closes_up(books: Books, moved: int, to: int, order: str) -> None:
    user = books.person()
    campaign = new_campaign(books, user, clips=4)
    clips = clips_of(books, campaign)
    books.call("move_clip", p_actor=user, p_clip=clips[moved], p_position=to)
    assert "".join("abcd"[clips.index(clip)] for clip in clips_of(books, campaign)) == order


def test_a_clip_is_added_once_however_often_it_is_asked_for(books: Books) -> None:
    user = books.person()
    campaign, other = new_campaign(books, user), new_campaign(books, user)
    clip = new_clip(books, user, campaign, p_title="One")
    again = books.call("add_clip", p_clip=clip, p_actor=user, p_campaign=campaign, p_title="Two")
    assert again["title"] == "One"
    with refused(404, "NOT_FOUND"):
        books.call("add_clip", p_clip=clip, p_actor=user, p_campaign=other)


def test_a_duplicate_stands_behind_with_the_same_words_and_without_versions(books: Books) -> None:
    user = books.person()
    campaign = new_campaign(books, user, clips=2)
    first, second = clips_of(books, campaign)
    books.call("edit_clip", p_actor=user, p_clip=first, p_title="One", p_script="Hello")
    make(books, user, first)
    copy = uuid4()
    for _ in range(2):
        books.call("duplicate_clip", p_clip=copy, p_actor=user, p_from=first)
    assert clips_of(books, campaign) == [first, copy, second]
    original, row = clip_row(books, first), clip_row(books, copy)
    assert (row["title"], row["script"], row["steps"]) == ("One", "Hello", original["steps"])
    assert (versions(books, first), versions(books, copy)) == ([(1, True)], [])


def test_deleting_closes_the_gap_and_keeps_the_versions(books: Books) -> None:
    user = books.person()
    campaign = new_campaign(books, user, clips=3)
    first, second, third = clips_of(books, campaign)
    make(books, user, second)
    for _ in range(2):
        books.call("delete_clip", p_actor=user, p_clip=second)
    assert clips_of(books, campaign) == [first, third]
    assert versions(books, second) == [(1, True)]
    with refused(404, "NOT_FOUND"):
        books.call("edit_clip", p_actor=user, p_clip=second, p_title="Gone")
    with refused(404, "NOT_FOUND"):
        create(books, user, second)
    for _ in range(2):
        books.call("restore_clip", p_actor=user, p_clip=second)
    assert clips_of(books, campaign) == [first, third, second]
    assert versions(books, second) == [(1, True)]


def test_a_campaign_holds_a_hundred_clips(books: Books) -> None:
    user = books.person()
    campaign = new_campaign(books, user)
    gone = new_clip(books, user, campaign, steps=())
    books.call("delete_clip", p_actor=user, p_clip=gone)
    for _ in range(100):
        new_clip(books, user, campaign, steps=())
    for function, arguments in (
        ("add_clip", {"p_clip": uuid4(), "p_campaign": campaign}),
        ("duplicate_clip", {"p_clip": uuid4(), "p_from": clips_of(books, campaign)[0]}),
        ("restore_clip", {"p_clip": gone}),
    ):
        with refused(409, "TOO_MANY_CLIPS"):
            books.call(function, p_actor=user, **arguments)


def test_only_the_given_steps_change(books: Books) -> None:
    user = books.person()
    clip = new_clip(books, user, new_campaign(books, user), steps=("first_frame", "video"))
    changed = books.call(
        "edit_clip",
        p_actor=user,
        p_clip=clip,
        p_steps={"video": recipe("video", prompt="Run", seed=None), "voice": recipe("voice"), "first_frame": None},
    )
    assert changed["steps"] == {"video": recipe("video", prompt="Run", seed=None), "voice": recipe("voice")}
    assert changed["revision"] == 2


@pytest.mark.parametrize(
    "steps",
    [
        [],
        "video",
        {"cut": recipe("video")},
        {"video": "fast"},
        {"video": {"generation_type": "video_luma"}},
        {"video": {"generation_type": 3, "inputs": {}}},
        {"video": {"generation_type": "video_luma", "inputs": []}},
        {"video": recipe("video") | {"price": 0}},
        {"video": recipe("video", prompt="x" * 60_001)},
    ],
)
def test_steps_of_another_shape_are_refused(books: Books, steps: Any) -> None:
    user = books.person()
    campaign = new_campaign(books, user)
    clip = new_clip(books, user, campaign)
    value = psycopg.types.json.Jsonb(steps)
    with refused(422, "INVALID_INPUT") as refusal, books.unchanged():
        books.call("edit_clip", p_actor=user, p_clip=clip, p_steps=value)
    assert refusal.detail == {"field": "steps"}
    with refused(422, "INVALID_INPUT"):
        books.call("add_clip", p_clip=uuid4(), p_actor=user, p_campaign=campaign, p_steps=value)
    with pytest.raises(CheckViolation):
        books.owner.execute("update campaign_clips set steps = %s where id = %s", (value, clip))


@pytest.mark.parametrize(("field", "length"), [("title", 121), ("script", 10_001)])
def test_words_that_are_too_long_are_refused(books: Books, field: str, length: int) -> None:
    user = books.person()
    clip = new_clip(books, user, new_campaign(books, user))
    with refused(422, "INVALID_INPUT") as refusal:
        books.call("edit_clip", p_actor=user, p_clip=clip, **{f"p_{field}": "x" * length})
    assert refusal.detail == {"field": field}


def test_nobody_overwrites_what_they_have_not_seen(books: Books) -> None:
    user = books.person()
    clip = new_clip(books, user, new_campaign(books, user))
    books.call("edit_clip", p_actor=user, p_clip=clip, p_script="Mine", p_revision=1)
    with refused(409, "CHANGED_MEANWHILE") as refusal:
        books.call("edit_clip", p_actor=books.admin, p_clip=clip, p_script="Theirs", p_revision=1)
    assert refusal.detail == {"revision": 2}
    assert clip_row(books, clip)["script"] == "Mine"


def test_two_edits_of_the_same_revision_at_once_one_wins(books: Books) -> None:
    user = books.person()
    clip = new_clip(books, user, new_campaign(books, user))
    edits = [
        ("edit_clip", {"p_actor": user, "p_clip": clip, "p_script": str(number), "p_revision": 1})
        for number in range(4)
    ]
    results = books.race(*edits)
    assert sorted(map(str, map(code_of, results))) == ["CHANGED_MEANWHILE"] * 3 + ["None"]
    assert clip_row(books, clip)["revision"] == 2


def test_reordering_at_once_keeps_every_clip_and_every_place(books: Books) -> None:
    user = books.person()
    campaign = new_campaign(books, user, clips=6)
    clips = clips_of(books, campaign)
    chance = random.Random(4)
    added = [uuid4() for _ in range(3)]
    for _ in range(4):
        moves = [
            ("move_clip", {"p_actor": user, "p_clip": clip, "p_position": chance.randint(1, 6)})
            for clip in chance.sample(clips, 6)
        ]
        books.race(*moves)
        assert sorted(clips_of(books, campaign)) == sorted(clips)
    books.race(
        *(("add_clip", {"p_clip": new, "p_actor": user, "p_campaign": campaign, "p_position": 1}) for new in added),
        ("delete_clip", {"p_actor": user, "p_clip": clips[0]}),
        ("move_clip", {"p_actor": user, "p_clip": clips[1], "p_position": 1}),
    )
    assert sorted(clips_of(books, campaign)) == sorted([*clips[1:], *added])


def test_every_step_has_its_place_in_the_chain(books: Books) -> None:
    for number, step in enumerate(STEPS, 1):
        assert books.value("select private.clip_step_number(%s)", step) == number
        assert books.value("select private.clip_step_sources(%s)", step) == list(SOURCES[step])
