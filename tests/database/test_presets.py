"""What people keep: favourites, the prompts and settings of before, presets."""

from typing import Any
from uuid import UUID, uuid4

from tests.database import campaigns
from tests.database.admin import second_admin
from tests.database.books import SCHNELL, VEO, Books, Row, as_person, completed, refused


def favourites(books: Books, user: UUID) -> list[UUID]:
    query = "select id from generation_jobs where user_id = %s and favourite_at is not null"
    return [row["id"] for row in books.all(query, user)]


def mark(books: Books, user: UUID, job: UUID, on: bool = True) -> Any:
    return books.call("mark_favourite", p_actor=user, p_job=job, p_on=on)


def save(books: Books, user: UUID, name: str, preset: UUID | None = None, **more: Any) -> Row:
    arguments: Row = {
        "p_preset": preset or uuid4(),
        "p_actor": user,
        "p_generation_type": SCHNELL,
        "p_name": name,
        "p_input_params": {"shape": "wide"},
    }
    row: Row = books.call("save_preset", **(arguments | more))
    return row


def prompts(books: Books, user: UUID, kind: str = "image", **more: Any) -> list[str]:
    found = books.call("prompt_history", p_user=user, p_media_kind=kind, **more)
    return [row["prompt"] for row in found]


# Favourites


def test_a_favourite_is_marked_and_unmarked_by_its_person_alone(books: Books) -> None:
    user = books.person()
    job = books.submitted(user)
    books.settle(job, completed())
    assert mark(books, user, job) is True
    since = books.job(job)["favourite_at"]
    assert mark(books, user, job) is True
    assert books.job(job)["favourite_at"] == since
    for other in (books.person(), books.admin):
        with refused(404, "NOT_FOUND"):
            mark(books, other, job, on=False)
    assert favourites(books, user) == [job]
    assert mark(books, user, job, on=False) is False
    assert favourites(books, user) == []


def test_who_is_switched_off_marks_nothing(books: Books) -> None:
    user = books.person()
    job = books.create(user)
    books.call("set_active", p_actor=books.admin, p_user=user, p_on=False)
    with refused(403, "NOT_ACTIVE"):
        mark(books, user, job)


# What was asked for before


def test_each_prompt_once_as_it_was_used_last(books: Books) -> None:
    user, other = books.person(), books.person()
    for text in ("A hill", "A lake", "A hill"):
        books.create(user, prompt=text, input_params={"prompt": text})
    books.create(user, generation_type=VEO, prompt="A boat", input_params={"prompt": "A boat"})
    books.create(other, prompt="Not theirs")
    assert prompts(books, user) == ["A hill", "A lake"]
    assert prompts(books, user, "video") == ["A boat"]
    newest = books.value("select id from generation_jobs where prompt = 'A hill' order by created_at desc limit 1")
    first, _ = books.call("prompt_history", p_user=user, p_media_kind="image")
    assert (UUID(first["id"]), first["generation_type"], first["input_params"]) == (
        newest,
        SCHNELL,
        {"prompt": "A hill"},
    )


def test_prompts_are_searched_as_they_are_written(books: Books) -> None:
    user = books.person()
    for text in ("100% wool", "100 sheep", "Ein Hügel_im Nebel"):
        books.create(user, prompt=text)
    assert prompts(books, user, p_text="100%") == ["100% wool"]
    assert prompts(books, user, p_text="HÜGEL_") == ["Ein Hügel_im Nebel"]
    assert prompts(books, user, p_text="_") == ["Ein Hügel_im Nebel"]
    assert prompts(books, user, p_limit=1) == ["Ein Hügel_im Nebel"]


def test_prompts_of_favourites(books: Books) -> None:
    user = books.person()
    mark(books, user, books.create(user, prompt="The good one"))
    books.create(user, prompt="The other one")
    assert prompts(books, user, p_favourites=True) == ["The good one"]


def test_a_visit_begins_with_what_was_set_last(books: Books) -> None:
    user = books.person(500)
    cookie = books.open_session(user)
    books.create(user, input_params={"prompt": "A hill", "shape": "tall"})
    books.create(user, input_params={"prompt": "A lake", "shape": "wide"})
    books.create(user, generation_type="voice_chatterbox", input_params={"text": "Hello", "speed": 1.2})
    (clip,) = campaigns.clips_of(books, campaigns.new_campaign(books, user, clips=1))
    campaigns.make(books, user, clip, "video")
    context = books.call("session_context", p_cookie_hash=cookie, p_idle_seconds=60, p_settings=True)
    assert {name: last["input_params"] for name, last in context["last_settings"].items()} == {
        SCHNELL: {"shape": "wide"},
        "voice_chatterbox": {"speed": 1.2},
    }
    assert books.call("session_context", p_cookie_hash=cookie, p_idle_seconds=60)["last_settings"] is None


# Presets


def test_a_preset_is_kept_renamed_replaced_and_deleted(books: Books) -> None:
    user = books.person()
    preset = save(books, user, "  For\nInstagram ")
    assert (preset["name"], preset["replaced"], preset["is_shared"]) == ("For Instagram", False, False)
    again = save(books, user, "for instagram", p_input_params={"shape": "tall"})
    assert (again["id"], again["name"], again["replaced"]) == (preset["id"], "for instagram", True)
    assert again["input_params"] == {"shape": "tall"}
    save(books, user, "For Instagram", p_generation_type=VEO)
    renamed = books.call("edit_preset", p_actor=user, p_preset=UUID(preset["id"]), p_name="Stories")
    assert (renamed["name"], renamed["input_params"]) == ("Stories", {"shape": "tall"})
    assert books.call("delete_preset", p_actor=user, p_preset=UUID(preset["id"])) is True
    assert [row["generation_type"] for row in books.all("select * from presets")] == [VEO]


def test_a_preset_needs_a_name_of_its_own(books: Books) -> None:
    user = books.person()
    save(books, user, "Stories")
    other = UUID(save(books, user, "Posts")["id"])
    with refused(409, "NAME_TAKEN"):
        books.call("edit_preset", p_actor=user, p_preset=other, p_name="STORIES")
    for name in ("", " \n\u202e ", "x" * 61):
        with refused(422, "INVALID_INPUT"):
            save(books, user, name)
        with refused(422, "INVALID_INPUT"):
            books.call("edit_preset", p_actor=user, p_preset=other, p_name=name)
    with refused(404, "NOT_FOUND"):
        save(books, user, "Stories", p_generation_type="no_such_type")
    assert books.value("select array_agg(name order by name) from presets") == ["Posts", "Stories"]


def test_the_fifty_first_preset_of_a_type_is_refused_even_at_once(books: Books) -> None:
    user = books.person()
    for number in range(49):
        save(books, user, f"Number {number}")
    arguments = {"p_actor": user, "p_generation_type": SCHNELL, "p_input_params": {}}
    books.race(*[("save_preset", arguments | {"p_preset": uuid4(), "p_name": name}) for name in ("A", "B", "C")])
    assert books.value("select count(*) from presets") == 50
    with refused(409, "TOO_MANY_PRESETS"):
        save(books, user, "One more")
    assert save(books, user, "Number 7", p_input_params={"shape": "tall"})["replaced"] is True


def test_only_admins_share_and_the_team_sees_what_is_shared(books: Books) -> None:
    user, other, waiting = books.person(), books.person(), books.sign_up()
    own, shared = UUID(save(books, user, "Mine")["id"]), UUID(save(books, books.admin, "House style")["id"])
    with refused(403, "NOT_ALLOWED"):
        books.call("edit_preset", p_actor=user, p_preset=own, p_shared=True)
    books.call("edit_preset", p_actor=books.admin, p_preset=shared, p_shared=True)
    seen = {
        person: set(names)
        for person, names in {
            who: [row["name"] for row in rows_seen(books, who)] for who in (user, other, waiting, books.admin)
        }.items()
    }
    assert seen == {
        user: {"Mine", "House style"},
        other: {"House style"},
        waiting: set(),
        books.admin: {"Mine", "House style"},
    }
    for act, more in (("edit_preset", {"p_name": "Hijacked"}), ("delete_preset", {})):
        for person, preset in ((other, shared), (other, own), (books.admin, own), (waiting, shared)):
            code = (403, "NOT_APPROVED") if person == waiting else (404, "NOT_FOUND")
            with refused(*code):
                books.call(act, p_actor=person, p_preset=preset, **more)


def test_an_admin_tidies_up_what_another_shared(books: Books) -> None:
    second = books.person()
    books.call("set_role", p_actor=books.admin, p_user=second, p_role="admin")
    preset = UUID(save(books, second, "House style")["id"])
    books.call("edit_preset", p_actor=second, p_preset=preset, p_shared=True)
    books.call("edit_preset", p_actor=books.admin, p_preset=preset, p_shared=False)
    with refused(404, "NOT_FOUND"):  # it is a person's own again
        books.call("delete_preset", p_actor=books.admin, p_preset=preset)


def rows_seen(books: Books, user: UUID) -> list[Row]:
    with as_person(books.url, user) as connection:
        return connection.execute("select * from presets").fetchall()


def test_what_the_team_shares_is_no_longer_its_owners_once_they_are_no_admin(books: Books) -> None:
    owner = second_admin(books)
    preset = save(books, owner, "Poster")["id"]
    books.call("edit_preset", p_actor=owner, p_preset=preset, p_shared=True)
    books.call("set_role", p_actor=books.admin, p_user=owner, p_role="user")
    with books.unchanged():
        for name, more in (
            ("edit_preset", {"p_name": "Mine"}),
            ("edit_preset", {"p_shared": False}),
            ("delete_preset", {}),
        ):
            with refused(403, "NOT_ALLOWED"):
                books.call(name, p_actor=owner, p_preset=preset, **more)
        with refused(403, "NOT_ALLOWED"):
            save(books, owner, "poster", p_input_params={"shape": "tall"})
    books.call("edit_preset", p_actor=books.admin, p_preset=preset, p_name="Poster of the team")
    books.call("delete_preset", p_actor=books.admin, p_preset=preset)
