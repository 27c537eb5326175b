"""Attacks on signing in and on sessions."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from core import sessions
from core.errors import DatabaseUnavailable, SignInRefused
from core.sealing import hash_cookie
from tests.integration.atelier import PASSWORD, Atelier
from tests.integration.hands import at_once
from tests.integration.strangers import (
    Browser,
    browsers_fixture,  # noqa: F401
    outcome,
    site_fixture,  # noqa: F401
)

WRONG = "not the password at all"


def somewhere() -> str:
    """An address that no other test comes from."""
    number = uuid4().int
    return f"2001:db8:{number % 65536:x}:{number // 65536 % 65536:x}::1"


def test_guessing_a_password_ends_soon_however_many_guess_at_once(
    atelier: Atelier, browsers: Callable[..., Browser]
) -> None:
    victim, bystander = atelier.new_marketer(), atelier.new_marketer()
    guessers = [browsers(somewhere()) for _ in range(14)]
    told = [outcome(answer) for answer in at_once(*(lambda g=g: g.sign_in(victim.email, WRONG) for g in guessers))]
    assert sorted(told) == ["TOO_MANY"] * 4 + ["WRONG"] * 10
    # The right password does not help now: not from elsewhere, and not at another process.
    assert outcome(browsers(somewhere()).sign_in(victim.email)) == "TOO_MANY"
    with pytest.raises(SignInRefused) as refused:
        sessions.sign_in(victim.email, PASSWORD, address=somewhere(), user_agent="another process")
    assert refused.value.code == "TOO_MANY"
    assert outcome(browsers(somewhere()).sign_in(bystander.email)) == "/"


def test_what_supabase_cannot_decide_about_is_refused_and_counted(
    atelier: Atelier, browsers: Callable[..., Browser]
) -> None:
    """It ends in an error there, which would be nobody's fault, and as many more tries as one likes."""
    person = atelier.new_marketer()
    for email, password in ((person.email, ""), (f"{uuid4().hex}@example.test\x00", WRONG)):
        guesser = browsers(somewhere())
        told = [outcome(guesser.sign_in(email, password)) for _ in range(11)]
        assert told == ["WRONG"] * 10 + ["TOO_MANY"]


def test_an_account_is_not_made_for_what_looks_like_somebody(browsers: Callable[..., Browser]) -> None:
    """Admins approve people by their address."""
    for email in (f"{uuid4().hex}\u200b@example.test", f"{uuid4().hex}\u0430@example.test"):
        form = {"email": email, "password": PASSWORD, "full_name": "Some Body"}
        assert outcome(browsers(somewhere()).post("/session/signup", **form)) == "BAD_EMAIL"
        assert outcome(browsers(somewhere()).post("/session/forgot", email=email)) == "/?notice=reset_sent"


def test_one_address_cannot_try_a_password_on_everybody(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    person, guesser = atelier.new_marketer(), browsers(address := somewhere())
    for number in range(2, 51):  # each from another address of the same network
        near = f"{address.removesuffix('1')}{number:x}"
        with pytest.raises(SignInRefused):
            sessions.sign_in(f"{uuid4().hex}@example.test", WRONG, address=near, user_agent="")
    assert outcome(guesser.sign_in(f"{uuid4().hex}@example.test", WRONG)) == "WRONG"
    assert outcome(guesser.sign_in(person.email)) == "TOO_MANY"
    assert outcome(browsers(somewhere()).sign_in(person.email)) == "/"


def test_nobody_learns_who_has_an_account(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    """The same answer, and as fast: comparing a password takes ten times as long as finding nobody."""
    known, unknown = atelier.new_marketer().email, f"{uuid4().hex}@example.test"
    forms: dict[str, dict[str, str]] = {
        "/session/login": {"password": WRONG},
        "/session/signup": {"password": PASSWORD, "full_name": "Some Body"},
        "/session/forgot": {},
    }
    for path, form in forms.items():
        answers: dict[str, Any] = {}
        for email in (known, unknown):
            browser, took = browsers(somewhere()), []
            for _ in range(2):
                started = time.monotonic()
                answer = browser.post(path, email=email, **form)
                took.append(time.monotonic() - started)
            # What differs is the email that was typed, and when.
            cookies = [line.replace(email, "") for line in answer.headers.get_list("set-cookie")]
            headers = {name: value for name, value in answer.headers.items() if name not in ("date", "set-cookie")}
            answers[email] = (answer.status_code, answer.content, headers, cookies), min(took)
        (one, slow), (other, quick) = answers.values()
        assert one == other
        assert max(slow, quick) < 1.5 * min(slow, quick), path


def test_a_cookie_is_one_persons_session_and_nothing_else(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    ada, ben = (atelier.new_marketer() for _ in range(2))
    cookies = {}
    for person in (ada, ben):
        browser = browsers()
        assert outcome(browser.sign_in(person.email)) == "/"
        cookies[person.user_id] = browser.cookie
    assert len(set(cookies.values())) == 2
    for person in (ada, ben):
        found = sessions.current(cookies[person.user_id])
        assert found is not None
        assert found.user_id == person.user_id
    stolen = cookies[ada.user_id]
    rows = atelier.all("select cookie_hash from private.app_sessions where user_id = %s", ada.user_id)
    forgeries = [row["cookie_hash"] for row in rows]  # what a stolen database holds
    forgeries += [stolen[:-1], stolen + "A", stolen.swapcase(), f"{stolen}\x00", str(ada.user_id), ada.access_token, ""]
    assert [sessions.current(forgery) for forgery in forgeries] == [None] * len(forgeries)
    # Signing out ends it wherever it was copied to.
    browsers().with_cookie(stolen).post("/session/logout")
    assert sessions.current(stolen) is None
    assert sessions.current(cookies[ben.user_id]) is not None


def test_a_planted_session_is_not_gone_on_with(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    attacker, victim = (atelier.new_marketer() for _ in range(2))
    mine = browsers()
    mine.sign_in(attacker.email)
    planted = mine.cookie
    browser = browsers().with_cookie(planted)
    browser.sign_in(victim.email)
    cookies = [part for part in browser.http.cookies.jar if part.name == sessions.COOKIE_NAME]
    value = next(part.value for part in cookies if part.value != planted)
    found = sessions.current(value)
    assert found is not None
    assert found.user_id == victim.user_id
    assert sessions.current(planted) is None
    # A value of one's own choice is no session before and none after.
    chosen = "chosen-by-an-attacker-and-known-to-him"
    browsers().with_cookie(chosen).sign_in(victim.email)
    assert sessions.current(chosen) is None
    assert atelier.all("select from private.app_sessions where cookie_hash = %s", hash_cookie(chosen)) == []


def test_while_the_database_is_away_nobody_is_let_in(atelier: Atelier) -> None:
    person = atelier.new_marketer()
    atelier.restart(SUPABASE_URL="http://127.0.0.1:9")
    with pytest.raises(DatabaseUnavailable):
        sessions.current(atelier.cookies[person.user_id])
    with pytest.raises(DatabaseUnavailable):
        sessions.sign_in(person.email, PASSWORD, address=somewhere(), user_agent="")
