"""People as admins keep them: the list, many at once, sign-outs, telling of new ones."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.database.admin import last_line, profile, second_admin, trail
from tests.database.books import Books, Row, completed, refused


def listed(books: Books, **more: Any) -> list[Row]:
    found: list[Row] = books.call("list_people", p_actor=books.admin, **more)["people"]
    return found


def ids(rows: list[Row]) -> list[UUID]:
    return [UUID(row["user_id"]) for row in rows]


# The list


def test_the_list_says_everything_about_a_person(books: Books) -> None:
    user = books.person(30, cap="12.50")
    books.open_session(user)
    books.settle(books.submitted(user, units=Decimal(100)), completed())
    books.submitted(user, quantity=2)
    (row,) = [row for row in listed(books) if row["user_id"] == str(user)]
    expected = {
        "role": "user",
        "state": "approved",
        "is_unmetered": False,
        "cap": "12.500000",
        "available": 27,
        "held": 2,
        "spent_month": "0.300000",
        "open_jobs": 1,
        "sessions": 1,
        "approved_by": "The Admin",
        "declined_at": None,
    }
    assert expected.items() <= row.items()
    assert row["last_seen_at"]
    assert row["approved_at"]


def test_only_living_sessions_count(books: Books) -> None:
    user = books.person()
    books.open_session(user)
    books.open_session(user, p_idle_seconds=-1)
    assert [row["sessions"] for row in listed(books) if row["user_id"] == str(user)] == [1]


def test_filters_and_their_counts(books: Books) -> None:
    waiting, declined = books.sign_up(), books.sign_up()
    off, capped, unmetered, deleted = (
        books.person(),
        books.person(cap="5"),
        books.person(unmetered=True),
        books.person(),
    )
    books.call("decline_person", p_actor=books.admin, p_user=declined)
    books.call("set_active", p_actor=books.admin, p_user=off, p_on=False)
    books.owner.execute("delete from auth.users where id = %s", (deleted,))
    expected = {
        "all": {books.admin, waiting, declined, off, capped, unmetered},
        "waiting": {waiting},
        "approved": {books.admin, capped, unmetered},
        "declined": {declined},
        "off": {off},
        "deleted": {deleted},
        "admins": {books.admin},
        "unmetered": {unmetered},
        "capped": {capped},
    }
    for name, people in expected.items():
        assert set(ids(listed(books, p_filter=name))) == people, name
    counts = books.call("list_people", p_actor=books.admin)["counts"]
    assert counts == {name: len(people) for name, people in expected.items()}
    with refused(422, "INVALID_INPUT"):
        listed(books, p_filter="rich")


def test_search_finds_names_and_addresses_and_takes_wildcards_as_they_are(books: Books) -> None:
    user = books.sign_up(email="ada@example.com", full_name="Ada Lovelace")
    for text in ("ada", "ADA LOVE", " lovelace ", "ada@"):
        assert ids(listed(books, p_search=text)) == [user], text
    for text in ("a%a", "a_a", "bob"):
        assert listed(books, p_search=text) == [], text


def test_a_wildcard_in_a_name_is_found(books: Books) -> None:
    user = books.sign_up(full_name="100% \\ under_score")
    books.sign_up(full_name="100 underXscore")
    for text in ("100%", "under_score", "\\"):
        assert ids(listed(books, p_search=text)) == [user]


def test_pages_follow_each_other_also_for_people_of_the_same_moment(books: Books) -> None:
    everybody = [books.sign_up() for _ in range(7)] + [books.admin]
    books.owner.execute("update profiles set created_at = '2026-01-01' where user_id = any(%s)", (everybody[:5],))
    seen: list[UUID] = []
    after, more = None, True
    while more:
        page = books.call("list_people", p_actor=books.admin, p_after=after, p_limit=3)
        assert ("counts" in page) == (after is None)
        seen += ids(page["people"])
        after, more = seen[-1], page["more"]
    assert len(seen) == len(set(seen)) == 8
    assert set(seen) == set(everybody)
    assert set(seen[3:]) == set(everybody[:5])


# Many at once


def test_many_are_approved_at_once_each_with_their_line(books: Books) -> None:
    new, known, nobody = [books.sign_up() for _ in range(3)], books.person(7), uuid4()
    arguments = {"p_actor": books.admin, "p_users": [str(user) for user in (*new, known, nobody, new[0])]}
    done = books.call("approve_people", **arguments, p_welcome_credits=20)
    assert {UUID(user) for user in done["changed"]} == set(new)
    assert (done["unchanged"], done["unknown"]) == ([str(known)], [str(nobody)])
    assert [books.balance(user) for user in new] == [(20, 0)] * 3
    assert {line["target"] for line in trail(books, "approve_person")} >= {str(user) for user in new}
    again = books.call("approve_people", **arguments, p_welcome_credits=20)
    assert (again["changed"], len(again["unchanged"])) == ([], 4)
    assert books.balance(known) == (7, 0)


def test_many_are_declined_at_once_and_the_approved_stay(books: Books) -> None:
    waiting, approved = [books.sign_up() for _ in range(2)], books.person()
    users = [str(user) for user in (*waiting, approved)]
    done = books.call("decline_people", p_actor=books.admin, p_users=users)
    assert {UUID(user) for user in done["changed"]} == set(waiting)
    assert done["unchanged"] == [str(approved)]
    assert profile(books, approved)["is_approved"]
    assert books.call("decline_people", p_actor=books.admin, p_users=users)["changed"] == []


@pytest.mark.parametrize("count", [0, 501])
def test_a_choice_of_people_has_bounds(books: Books, count: int) -> None:
    arguments = {"p_actor": books.admin, "p_users": [str(uuid4()) for _ in range(count)], "p_welcome_credits": 1}
    with books.unchanged(), refused(422, "INVALID_INPUT"):
        books.call("approve_people", **arguments)


def test_two_admins_approve_the_same_people_in_opposite_orders(books: Books) -> None:
    other, users = second_admin(books), [str(books.sign_up()) for _ in range(12)]
    calls = [
        {"p_actor": actor, "p_users": order, "p_welcome_credits": 5}
        for actor, order in ((books.admin, users), (other, users[::-1])) * 3
    ]
    done = books.race(*[("approve_people", arguments) for arguments in calls])
    assert sum(len(each["changed"]) for each in done) == len(users)
    assert {books.balance(UUID(user)) for user in users} == {(5, 0)}


def test_approving_and_declining_the_same_people_at_once_ends_the_same_for_everybody(books: Books) -> None:
    other, users = second_admin(books), [str(books.sign_up()) for _ in range(12)]
    approving = {"p_actor": books.admin, "p_users": users, "p_welcome_credits": 5}
    declining = {"p_actor": other, "p_users": users[::-1]}
    approved, declined = books.race(("approve_people", approving), ("decline_people", declining))
    assert sorted(approved["changed"]) == sorted(users), "whoever was declined first is approved after"
    assert len(declined["changed"]) + len(declined["unchanged"]) == len(users)
    for user in map(UUID, users):
        row = profile(books, user)
        assert (row["is_approved"], row["declined_at"], books.balance(user)) == (True, None, (5, 0))


# Signing out


def test_signing_out_everywhere_ends_every_session_of_that_person(books: Books) -> None:
    user, other = books.person(), books.person()
    cookies = [
        books.open_session(user, p_sealed_tokens=f"sealed {seconds}", p_token_seconds=seconds) for seconds in (5, 50)
    ]
    kept = books.open_session(other)
    sealed = books.call("sign_out_everywhere", p_actor=books.admin, p_user=user)
    assert sealed == ["sealed 50", "sealed 5"]
    for cookie, known in ((cookies[0], False), (cookies[1], False), (kept, True)):
        context = books.call("session_context", p_cookie_hash=cookie, p_idle_seconds=60)
        assert (context is not None) == known
    assert last_line(books)["after"] == {"sessions": 2}
    assert "sealed" not in str(last_line(books)), "no token is in the trail"
    assert books.call("sign_out_everywhere", p_actor=books.admin, p_user=user) == []
    with refused(404, "NOT_FOUND"):
        books.call("sign_out_everywhere", p_actor=books.admin, p_user=uuid4())


# Telling of new people


def test_a_new_person_is_told_of_once(books: Books) -> None:
    books.person()
    user = books.sign_up(full_name="Ada")
    (alert,) = books.call("raise_sign_up_alerts", p_deliver=True)
    assert (alert["kind"], alert["user_id"], alert["person"], alert["delivery"]) == (
        "new_person",
        str(user),
        "Ada",
        "waiting",
    )
    assert books.call("raise_sign_up_alerts", p_deliver=True) == []
    (claimed,) = books.call("claim_alerts", p_worker="one")
    assert claimed["id"] == alert["id"]
    assert books.call("record_alert_sent", p_alert=alert["id"], p_worker="one")
    books.call("decline_person", p_actor=books.admin, p_user=user)
    assert books.call("raise_sign_up_alerts", p_deliver=True) == []


def test_without_an_address_to_tell_it_is_noted_and_not_posted_later(books: Books) -> None:
    books.sign_up()
    (alert,) = books.call("raise_sign_up_alerts", p_deliver=False)
    assert alert["delivery"] == "none"
    assert books.call("claim_alerts", p_worker="one") == []
    assert books.call("raise_sign_up_alerts", p_deliver=True) == []


def test_an_address_that_is_not_proved_and_who_was_decided_about_are_not_told_of(books: Books) -> None:
    unproved, declined = books.sign_up(confirmed=False), books.sign_up()
    books.call("decline_person", p_actor=books.admin, p_user=declined)
    assert books.call("raise_sign_up_alerts", p_deliver=True) == []
    books.owner.execute("update auth.users set email_confirmed_at = now() where id = %s", (unproved,))
    assert len(books.call("raise_sign_up_alerts", p_deliver=True)) == 1


def test_many_workers_at_once_tell_of_a_person_once(books: Books) -> None:
    for _ in range(3):
        books.sign_up()
    raised = books.race(*[("raise_sign_up_alerts", {"p_deliver": True})] * 6)
    assert sum(len(each) for each in raised) == 3


def test_alerts_about_money_are_as_before(books: Books) -> None:
    user = books.sign_up()
    books.call("raise_sign_up_alerts", p_deliver=True)
    assert books.call("current_alerts", p_actor=books.admin) == []
    assert books.call("current_alerts", p_actor=user) == []
