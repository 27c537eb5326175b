"""Campaigns and clips: created, changed, ordered, deleted, brought back; by their owner and admins, and nobody else."""

import random
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import CheckViolation

from core.campaigns.steps import SOURCES, STEPS
from tests.database.books import Books, code_of, refused
from tests.database.campaigns import clips_of, create, make, new_campaign, new_clip, recipe, uuids, versions


def stored(books: Books, campaign: UUID) -> dict[str, Any]:
    return books.one("select * from campaigns where id = %s", campaign)


def clip_row(books: Books, clip: UUID) -> dict[str, Any]:
    return books.one("select * from campaign_clips where id = %s", clip)


# Campaigns


def test_a_campaign_is_created_once_however_often_it_is_asked_for(books: Books) -> None:
    user, campaign = books.person(), uuid4()
    asked = {"p_campaign": campaign, "p_actor": user, "p_name": "  Autumn  ", "p_brief": "Warm"}
    first = books.call("create_campaign", **asked)
    assert books.call("create_campaign", **asked) == first
    assert (first["name"], first["brief"], first["visibility"], first["owner_id"]) == (
        "Autumn",
        "Warm",
        "private",
        str(user),
    )
    with refused(404, "NOT_FOUND"):
        books.call("create_campaign", **(asked | {"p_actor": books.person()}))
    assert books.value("select count(*) from campaigns") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "   "), ("name", "x" * 121), ("brief", "x" * 20_001), ("visibility", "world")],
)
def test_text_out_of_bounds_is_refused_naming_the_field(books: Books, field: str, value: str) -> None:
    user = books.person()
    campaign = new_campaign(books, user)
    with refused(422, "INVALID_INPUT") as refusal:
        books.call(
            "create_campaign", **({"p_campaign": uuid4(), "p_actor": user, "p_name": "A"} | {f"p_{field}": value})
        )
    assert refusal.detail["field"] == field
    with refused(422, "INVALID_INPUT") as refusal:
        books.call("edit_campaign", p_actor=user, p_campaign=campaign, **{f"p_{field}": value})
    assert refusal.detail["field"] == field


def test_only_what_is_given_changes(books: Books) -> None:
    user = books.person()
    campaign = new_campaign(books, user, p_brief="Warm")
    books.call("edit_campaign", p_actor=user, p_campaign=campaign, p_name="Winter")
    row = stored(books, campaign)
    assert (row["name"], row["brief"], row["visibility"], row["archived_at"]) == ("Winter", "Warm", "private", None)
    books.call("edit_campaign", p_actor=user, p_campaign=campaign, p_brief="", p_visibility="team")
    row = stored(books, campaign)
    assert (row["name"], row["brief"], row["visibility"]) == ("Winter", "", "team")


def test_an_archived_campaign_is_readable_and_does_not_change(books: Books) -> None:
    user = books.person()
    campaign = new_campaign(books, user, clips=2)
    first, second = clips_of(books, campaign)
    books.call("edit_campaign", p_actor=user, p_campaign=campaign, p_archived=True)
    since = stored(books, campaign)["archived_at"]
    books.call("edit_campaign", p_actor=user, p_campaign=campaign, p_archived=True)
    assert stored(books, campaign)["archived_at"] == since
    for function, arguments in (
        ("edit_campaign", {"p_campaign": campaign, "p_name": "Winter"}),
        ("add_clip", {"p_clip": uuid4(), "p_campaign": campaign}),
        ("edit_clip", {"p_clip": first, "p_title": "A"}),
        ("move_clip", {"p_clip": first, "p_position": 2}),
        ("delete_clip", {"p_clip": first}),
        ("duplicate_clip", {"p_clip": uuid4(), "p_from": first}),
    ):
        with refused(409, "ARCHIVED"), books.unchanged():
            books.call(function, p_actor=user, **arguments)
    with refused(409, "ARCHIVED"):
        create(books, user, first)
    books.call("edit_campaign", p_actor=user, p_campaign=campaign, p_archived=False)
    books.call("move_clip", p_actor=user, p_clip=first, p_position=2)
    assert clips_of(books, campaign) == [second, first]


def changes(campaign: UUID, clip: UUID, version: UUID) -> list[tuple[str, dict[str, Any]]]:
    """Every function that changes a campaign."""
    return [
        ("edit_campaign", {"p_campaign": campaign, "p_name": "Mine now"}),
        ("edit_campaign", {"p_campaign": campaign, "p_visibility": "team"}),
        ("edit_campaign", {"p_campaign": campaign, "p_archived": True}),
        ("add_clip", {"p_clip": uuid4(), "p_campaign": campaign}),
        ("edit_clip", {"p_clip": clip, "p_script": "Mine now"}),
        ("move_clip", {"p_clip": clip, "p_position": 1}),
        ("delete_clip", {"p_clip": clip}),
        ("restore_clip", {"p_clip": clip}),
        ("duplicate_clip", {"p_clip": uuid4(), "p_from": clip}),
        ("make_version_current", {"p_version": version}),
        (
            "start_campaign_run",
            {
                "p_run": uuid4(),
                "p_campaign": campaign,
                "p_first_step": "video",
                "p_last_step": "video",
                "p_clips": uuids([clip]),
                "p_confirmed_credits": 100,
            },
        ),
    ]


@pytest.mark.parametrize(("visibility", "http", "code"), [("private", 404, "NOT_FOUND"), ("team", 403, "NOT_ALLOWED")])
def test_nobody_else_changes_a_campaign(books: Books, visibility: str, http: int, code: str) -> None:
    user, other = books.person(), books.person()
    campaign = new_campaign(books, user, clips=2, p_visibility=visibility)
    clip = clips_of(books, campaign)[1]
    version = make(books, user, clip)["id"]
    for function, arguments in changes(campaign, clip, version):
        with refused(http, code), books.unchanged():
            books.call(function, p_actor=other, **arguments)
    with refused(http, code):
        create(books, other, clip)


def test_an_admin_changes_any_campaign_and_sharing_it_is_in_the_trail(books: Books) -> None:
    user = books.person()
    campaign = new_campaign(books, user, clips=2)
    clip = clips_of(books, campaign)[1]
    version = make(books, user, clip)["id"]
    for function, arguments in changes(campaign, clip, version):
        if not arguments.get("p_archived"):
            books.call(function, p_actor=books.admin, **arguments)
    action = books.one("select * from admin_actions where action = 'share_campaign'")
    assert (action["actor"], action["target"], action["after"]) == (books.admin, str(campaign), {"visibility": "team"})


@pytest.mark.parametrize(
    ("change", "code"), [("is_approved = false", "NOT_APPROVED"), ("is_active = false", "NOT_ACTIVE")]
)
def test_a_person_without_approval_changes_nothing(books: Books, change: str, code: str) -> None:
    user = books.person()
    campaign = new_campaign(books, user, clips=1)
    clip = clips_of(books, campaign)[0]
    version = make(books, user, clip)["id"]
    books.owner.execute(f"update profiles set {change} where user_id = %s".encode(), (user,))
    for function, arguments in changes(campaign, clip, version):
        with refused(403, code):
            books.call(function, p_actor=user, **arguments)
    with refused(403, code):
        books.call("create_campaign", p_campaign=uuid4(), p_actor=user, p_name="Another")
    with refused(403, code):
        create(books, user, clip)


# Clips


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


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.sampled_from("madrc"), st.integers(0, 9), st.integers(-2, 9)), max_size=12))
def test_places_are_what_a_list_would_have(books: Books, changes: list[tuple[str, int, int]]) -> None:
    user = books.person(0)
    campaign = new_campaign(books, user)
    shown: list[UUID] = []
    gone: list[UUID] = []
    for kind, which, place in [("a", 0, 9), ("a", 0, 9), *changes]:
        if kind == "a":
            clip = new_clip(books, user, campaign, steps=(), p_position=place)
            shown.insert(min(max(place, 1), len(shown) + 1) - 1, clip)
        elif kind == "r" and gone:
            clip = gone.pop(which % len(gone))
            books.call("restore_clip", p_actor=user, p_clip=clip)
            shown.append(clip)
        elif shown:
            index = which % len(shown)
            clip = shown[index]
            if kind == "m":
                books.call("move_clip", p_actor=user, p_clip=clip, p_position=place)
                shown.insert(min(max(place, 1), len(shown)) - 1, shown.pop(index))
            elif kind == "d":
                books.call("delete_clip", p_actor=user, p_clip=clip)
                gone.append(shown.pop(index))
            elif kind == "c":
                copy = uuid4()
                books.call("duplicate_clip", p_clip=copy, p_actor=user, p_from=clip)
                shown.insert(index + 1, copy)
        assert clips_of(books, campaign) == shown


def test_every_step_has_its_place_in_the_chain(books: Books) -> None:
    for number, step in enumerate(STEPS, 1):
        assert books.value("select private.clip_step_number(%s)", step) == number
        assert books.value("select private.clip_step_sources(%s)", step) == list(SOURCES[step])
