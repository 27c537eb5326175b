"""Input files: sent once a person and content, sent again when they are old."""

from typing import Any
from uuid import UUID

import pytest
from psycopg.errors import CheckViolation

from tests.database.books import Books, Row, as_person, completed, refused

HASH = "0123456789abcdef" * 4


def remember(books: Books, user: UUID, url: str = "https://v3.fal.media/a.png", **more: Any) -> Row:
    arguments: Row = {
        "p_user": user,
        "p_sha256": HASH,
        "p_fal_url": url,
        "p_media_type": "image/png",
        "p_size_bytes": 10,
    }
    row: Row = books.call("remember_input", **(arguments | more))
    return row


def test_a_file_is_known_to_its_person_alone(books: Books) -> None:
    user, other = books.person(), books.person()
    remember(books, user, p_width=4, p_height=3)
    known = books.call("known_input", p_user=user, p_sha256=HASH)
    assert (known["fal_url"], known["width"], known["height"]) == ("https://v3.fal.media/a.png", 4, 3)
    assert books.call("known_input", p_user=other, p_sha256=HASH) is None
    assert books.call("known_input", p_user=user, p_sha256="f" * 64) is None
    for person, rows in ((user, 1), (other, 0), (books.admin, 1)):
        with as_person(books.url, person) as connection:
            assert len(connection.execute("select * from input_files").fetchall()) == rows


def test_a_file_is_forgotten_after_the_teams_days_and_remembered_anew(books: Books) -> None:
    user = books.person()
    days = books.call("input_days")
    remember(books, user)
    age = "select extract(epoch from expires_at - sent_at) from input_files"
    assert books.value(age) == days * 86_400
    books.owner.execute("update input_files set expires_at = now()")
    assert books.call("known_input", p_user=user, p_sha256=HASH) is None
    remember(books, user, "https://v3.fal.media/b.png")
    assert books.call("known_input", p_user=user, p_sha256=HASH)["fal_url"] == "https://v3.fal.media/b.png"
    assert books.value("select count(*) from input_files") == 1


def test_the_same_file_remembered_at_once_is_one_row(books: Books) -> None:
    user = books.person()
    arguments = {"p_user": user, "p_sha256": HASH, "p_media_type": "image/png", "p_size_bytes": 10}
    books.race(*[("remember_input", arguments | {"p_fal_url": f"https://v3.fal.media/{n}"}) for n in range(4)])
    assert books.value("select count(*) from input_files") == 1


def test_the_size_of_a_picture_is_known_by_its_address_brought_or_made(books: Books) -> None:
    user = books.person()
    brought, made, sound = (f"https://v3.fal.media/{name}" for name in ("a.png", "b.png", "c.wav"))
    remember(books, user, brought, p_width=40, p_height=30)
    remember(books, user, sound, p_sha256="a" * 64)
    job = books.submitted(user)
    books.settle(job, completed())
    books.owner.execute("update job_outputs set source_url = %s, width = 1024, height = 768", (made,))
    sizes = {url: books.call("picture_size", p_url=url) for url in (brought, made, sound, "https://v3.fal.media/x")}
    assert sizes[brought] == {"width": 40, "height": 30}
    assert sizes[made] == {"width": 1024, "height": 768}
    assert not any((sizes[sound], sizes["https://v3.fal.media/x"]))


def test_only_approved_people_bring_files(books: Books) -> None:
    user = books.sign_up()
    with refused(403, "NOT_APPROVED"):
        remember(books, user)


@pytest.mark.parametrize(
    "change", ["sha256 = 'abc'", "size_bytes = 0", "width = 0", "duration_seconds = 0", "fal_url = repeat('x', 2001)"]
)
def test_a_row_that_makes_no_sense_is_impossible(books: Books, change: str) -> None:
    remember(books, books.person())
    with pytest.raises(CheckViolation):
        books.owner.execute(f"update input_files set {change}".encode())
