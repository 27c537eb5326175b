"""Sessions: one row a browser, found by the hash of its cookie, refreshed by one caller at a time."""

from typing import Any
from uuid import UUID

import pytest
from psycopg.errors import CheckViolation, UniqueViolation

from tests.database.books import Books, completed, refused


def context(books: Books, cookie: str, **more: Any) -> Any:
    return books.call("session_context", p_cookie_hash=cookie, p_idle_seconds=7200, **more)


def stored(books: Books, cookie: str) -> dict[str, Any]:
    return books.one("select * from private.app_sessions where cookie_hash = %s", cookie)


def shift(books: Books, **columns: str) -> None:
    """Move times of every session, e.g. `idle_expires_at="-3 hours"`."""
    for column, interval in columns.items():
        books.owner.execute(f"update private.app_sessions set {column} = now() + %s::interval".encode(), (interval,))


def test_a_session_tells_who_is_looking(books: Books) -> None:
    user = books.person(10)
    books.create(user)
    cookie = books.open_session(user)
    told = context(books, cookie)
    assert (told["user_id"], told["role"], told["is_approved"], told["is_active"]) == (str(user), "user", True, True)
    assert (told["available"], told["held"], told["open_jobs"]) == (9, 1, 1)
    assert (told["sealed_tokens"], told["token_version"]) == ("sealed", 1)
    assert 3500 < told["token_seconds_left"] <= 3600
    assert (told["budget"], told["people_waiting"], told["fal_lock_reason"]) == ({"spent": "0"}, 0, None)
    assert (told["is_declined"], told["is_unmetered"]) == (False, False)


def test_a_session_tells_admins_who_waits(books: Books) -> None:
    cookie = books.open_session(books.admin)
    declined = books.sign_up()
    books.call("decline_person", p_actor=books.admin, p_user=declined)
    books.sign_up(), books.sign_up()
    assert context(books, cookie)["people_waiting"] == 2
    assert context(books, books.open_session(books.person()))["people_waiting"] == 0


def test_a_session_tells_that_fal_has_locked_the_account(books: Books) -> None:
    cookie = books.open_session(books.person())
    books.call("report_provider", p_provider="fal", p_ok=False, p_locked_reason="Exhausted balance.")
    assert context(books, cookie)["fal_lock_reason"] == "Exhausted balance."


def test_two_browsers_are_two_sessions(books: Books) -> None:
    user = books.person()
    one, two = books.open_session(user), books.open_session(user)
    books.call("close_session", p_cookie_hash=one)
    assert (context(books, one), context(books, two)["user_id"]) == (None, str(user))


def test_an_unknown_cookie_is_nobody(books: Books) -> None:
    books.open_session(books.person())
    with books.unchanged():
        assert context(books, "0" * 64) is None


def test_a_person_without_a_profile_gets_no_session(books: Books) -> None:
    with books.unchanged(), refused(404, "NOT_FOUND"):
        books.open_session(UUID(int=7))


def test_a_cookie_is_a_hash_and_used_once(books: Books) -> None:
    user = books.person()
    with pytest.raises(CheckViolation):
        books.open_session(user, p_cookie_hash="the cookie itself")
    books.open_session(user, p_cookie_hash="a" * 64)
    with pytest.raises(UniqueViolation):
        books.open_session(user, p_cookie_hash="a" * 64)


def test_what_a_browser_says_of_itself_is_cut(books: Books) -> None:
    cookie = books.open_session(books.person(), p_user_agent="x" * 1000, p_address="y" * 1000)
    row = stored(books, cookie)
    assert (len(row["user_agent"]), len(row["address"])) == (300, 64)


# Ends


@pytest.mark.parametrize("column", ["idle_expires_at", "expires_at"])
def test_an_expired_session_is_nobody_and_swept_at_the_next_sign_in(books: Books, column: str) -> None:
    user = books.person()
    cookie = books.open_session(user)
    shift(books, **{column: "-1 second"})
    assert context(books, cookie) is None
    books.open_session(user)
    assert books.value("select count(*) from private.app_sessions where cookie_hash = %s", cookie) == 0


def test_use_keeps_a_session_and_a_look_a_minute_is_enough(books: Books) -> None:
    cookie = books.open_session(books.person())
    with books.unchanged():
        context(books, cookie)
    shift(books, last_seen_at="-2 minutes", idle_expires_at="5 minutes")
    context(books, cookie)
    row = books.one(
        "select idle_expires_at - now() > interval '119 minutes' as kept,"
        " last_seen_at > now() - interval '1 minute' as seen from private.app_sessions where cookie_hash = %s",
        cookie,
    )
    assert row == {"kept": True, "seen": True}


def test_closing_a_session_returns_its_tokens_once(books: Books) -> None:
    cookie = books.open_session(books.person())
    assert books.call("close_session", p_cookie_hash=cookie) == "sealed"
    assert books.call("close_session", p_cookie_hash=cookie) is None
    assert context(books, cookie) is None


def test_a_new_password_ends_every_session_of_that_person_whoever_sets_it(books: Books) -> None:
    one, other = books.person(), books.person()
    cookies, kept = [books.open_session(one) for _ in range(2)], books.open_session(other)
    books.owner.execute("update auth.users set last_sign_in_at = now(), encrypted_password = encrypted_password")
    assert context(books, cookies[0])
    books.owner.execute("update auth.users set encrypted_password = 'a new one' where id = %s", (one,))
    assert [context(books, cookie) for cookie in cookies] == [None, None]
    assert context(books, kept)["user_id"] == str(other)


# Refresh tokens rotate


def lease(books: Books, cookie: str, version: int = 1) -> Any:
    return books.call("lease_refresh", p_cookie_hash=cookie, p_token_version=version)


def store(books: Books, cookie: str, version: int, tokens: str = "newer") -> Any:
    return books.call(
        "store_tokens", p_cookie_hash=cookie, p_token_version=version, p_sealed_tokens=tokens, p_token_seconds=60
    )


def test_one_caller_at_a_time_refreshes(books: Books) -> None:
    cookie = books.open_session(books.person())
    assert lease(books, cookie) == {"yours": True, "sealed_tokens": "sealed", "token_version": 1}
    assert lease(books, cookie) == {"yours": False, "sealed_tokens": "sealed", "token_version": 1}
    shift(books, refreshing_until="-1 second")
    assert lease(books, cookie)["yours"], "a lease that ran out is free"


def test_many_callers_at_once_give_one_lease(books: Books) -> None:
    cookie = books.open_session(books.person())
    leases = books.race(*[("lease_refresh", {"p_cookie_hash": cookie, "p_token_version": 1})] * 8)
    assert [each["yours"] for each in leases].count(True) == 1


def test_who_comes_late_gets_the_newer_tokens(books: Books) -> None:
    cookie = books.open_session(books.person())
    lease(books, cookie)
    assert store(books, cookie, 1) is True
    assert lease(books, cookie, 1) == {"yours": False, "sealed_tokens": "newer", "token_version": 2}
    assert lease(books, cookie, 2)["yours"]


def test_older_tokens_never_replace_newer_ones(books: Books) -> None:
    cookie = books.open_session(books.person())
    store(books, cookie, 1)
    with books.unchanged():
        assert store(books, cookie, 1, "older") is False


def test_tokens_at_once_are_stored_once(books: Books) -> None:
    cookie = books.open_session(books.person())
    calls = [
        {"p_cookie_hash": cookie, "p_token_version": 1, "p_sealed_tokens": f"from {number}", "p_token_seconds": 60}
        for number in range(6)
    ]
    stores = books.race(*[("store_tokens", arguments) for arguments in calls])
    assert stores.count(True) == 1
    row = stored(books, cookie)
    assert row["sealed_tokens"] == f"from {stores.index(True)}"
    assert (row["token_version"], row["refreshing_until"]) == (2, None)


def test_a_session_that_is_gone_has_nothing_to_refresh(books: Books) -> None:
    cookie = books.open_session(books.person())
    books.call("close_session", p_cookie_hash=cookie)
    assert (lease(books, cookie), store(books, cookie, 1)) == (None, False)


@pytest.mark.parametrize("column", ["idle_expires_at", "expires_at"])
def test_an_expired_session_is_not_refreshed(books: Books, column: str) -> None:
    cookie = books.open_session(books.person())
    shift(books, **{column: "-1 second"})
    with books.unchanged():
        assert lease(books, cookie) is None


# Throttling


def begin(books: Books, email: str = "e", address: str = "a", kind: str = "sign_in") -> int | None:
    found: int | None = books.call("begin_attempt", p_kind=kind, p_email_hash=email, p_address=address)
    return found


def end(books: Books, attempt: int | None, succeeded: bool) -> None:
    books.call("end_attempt", p_attempt=attempt, p_succeeded=succeeded)


def test_ten_refusals_make_an_account_wait(books: Books) -> None:
    for number in range(10):
        assert begin(books, address=f"a{number}")
    assert [begin(books), begin(books, address="elsewhere")] == [None, None]
    assert begin(books, email="other")
    assert begin(books, kind="reset")


def test_a_success_forgives_the_refusals_of_an_account(books: Books) -> None:
    for _ in range(9):
        begin(books)
    end(books, begin(books), True)
    assert begin(books)


def test_a_try_that_could_not_be_made_does_not_count(books: Books) -> None:
    for _ in range(20):
        end(books, begin(books), False)
    end(books, succeeded := begin(books), True)
    end(books, succeeded, False)  # what was decided stays
    assert books.value("select count(*) from private.sign_in_attempts") == 1


@pytest.mark.parametrize(("kind", "limit"), [("sign_in", 50), ("sign_up", 100), ("reset", 100), ("link", 100)])
def test_many_tries_make_an_address_wait(books: Books, kind: str, limit: int) -> None:
    for number in range(limit):
        assert begin(books, f"e{number}", kind=kind)
    assert begin(books, "new", kind=kind) is None
    assert begin(books, "new", "elsewhere", kind)
    assert begin(books, "new", "", kind)  # of an unknown address nobody can be told


@pytest.mark.parametrize("kind", ["sign_up", "reset", "link"])
def test_nobodys_inbox_is_filled(books: Books, kind: str) -> None:
    assert [begin(books, address=f"a{number}", kind=kind) is not None for number in range(6)] == [True] * 5 + [False]


@pytest.mark.parametrize(("email", "address"), [("e", "elsewhere"), ("other", "a")])
def test_tries_at_once_are_counted_like_tries_in_a_row(books: Books, email: str, address: str) -> None:
    """Guessing with many connections at the same moment gains nothing: each waits until the one before is counted."""
    with books.holding("select public.begin_attempt('sign_in', 'e', 'a')"):
        second = books.start("begin_attempt", p_kind="sign_in", p_email_hash=email, p_address=address)
        assert begin(books, "other", "elsewhere")  # others do not wait
        books.wait_until_blocked(1)
    assert second.result()


def test_tries_are_forgotten_after_a_while(books: Books) -> None:
    for _ in range(10):
        begin(books)
    books.owner.execute("update private.sign_in_attempts set created_at = now() - interval '16 minutes'")
    end(books, begin(books), False)
    books.owner.execute("update private.sign_in_attempts set created_at = now() - interval '25 hours'")
    end(books, begin(books, "other"), False)
    assert books.value("select count(*) from private.sign_in_attempts") == 0


# Jobs on screen are looked at sooner


def test_jobs_on_screen_are_looked_at_soon(books: Books) -> None:
    user, other = books.person(), books.person()
    cookie = books.open_session(user)
    mine, fresh, ended = (books.submitted(user) for _ in range(3))
    books.submitted(other)
    books.settle(ended, completed())
    books.owner.execute(
        "update generation_jobs set next_check_at = now() + interval '1 minute', checked_at = now() - interval '9 s'"
        " where id <> %s",
        (fresh,),
    )
    with books.unchanged():
        context(books, cookie)
    context(books, cookie, p_watching=True)
    due = {row["id"] for row in books.all("select id from generation_jobs where next_check_at <= now()")}
    assert due == {mine}


def test_a_session_tells_running_jobs_newest_first_and_alerts(books: Books) -> None:
    user, other = books.person(cap="0.003"), books.person()
    cookie = books.open_session(user)
    assert (context(books, cookie)["running"], context(books, cookie)["alerts"]) == ([], [])
    books.settle(books.submitted(user), completed())
    books.submitted(other)
    books.call("raise_due_alerts", p_deliver=False)
    first = context(books, cookie)
    assert {alert["threshold"] for alert in first["alerts"]} == {80, 100}
    books.owner.execute("update profiles set monthly_cap_usd = 1 where user_id = %s", (user,))
    running = [books.submitted(user) for _ in range(2)]
    told = context(books, cookie)
    assert [row["id"] for row in told["running"]] == [str(job) for job in reversed(running)]
    assert (told["open_jobs"], told["running"][0]["estimated_usd"]) == (2, "0.003000")
