"""Campaigns and clips: created, changed, ordered, deleted, brought back; by their owner and admins, and nobody else."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import CheckViolation

from tests.database.books import Books, refused
from tests.database.campaigns import clips_of, create, make, new_campaign, new_clip, uuids


def stored(books: Books, campaign: UUID) -> dict[str, Any]:
    return books.one("select * from campaigns where id = %s", campaign)


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


def test_names_are_one_line_that_reads_as_it_is_written(books: Books) -> None:
    """The team sees them: nothing in them turns around what stands behind, or makes it another line."""
    user, odd = books.person(), " Free \u202e\u2066 coffee\r\nfor\x1b[2J\tall\x85 "
    campaign, other = uuid4(), new_campaign(books, user)
    books.call("create_campaign", p_campaign=campaign, p_actor=user, p_name=odd)
    books.call("edit_campaign", p_actor=user, p_campaign=other, p_name=odd)
    clip, edited = new_clip(books, user, campaign, p_title=odd), new_clip(books, user, campaign)
    books.call("edit_clip", p_actor=user, p_clip=edited, p_title=odd)
    names = [stored(books, each)["name"] for each in (campaign, other)]
    titles = [books.value("select title from campaign_clips where id = %s", each) for each in (clip, edited)]
    assert {*names, *titles} == {"Free coffee for [2J all"}
    with books.unchanged(), refused(422, "INVALID_INPUT"):
        books.call("create_campaign", p_campaign=uuid4(), p_actor=user, p_name="\u202e\n\x07")
    for column, table in (("name", "campaigns"), ("title", "campaign_clips")):
        with pytest.raises(CheckViolation):
            books.owner.execute(f"update {table} set {column} = E'a\\nb'".encode())


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
