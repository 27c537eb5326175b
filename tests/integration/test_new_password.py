"""A forgotten password: asked for, mailed, set by the link, over real HTTP; and what one could try with such a link."""

import json
import time
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from core import sessions
from core.database import get_database
from core.models import Person
from core.sealing import seal, unseal
from tests.integration import mails
from tests.integration.atelier import PASSWORD, Atelier
from tests.integration.strangers import (
    Browser,
    browsers_fixture,  # noqa: F401
    outcome,
    site_fixture,  # noqa: F401
)

NEW = "another horse, other batteries"
SET = "/?notice=password_set"


def somewhere() -> str:
    """An address that no other test comes from."""
    number = uuid4().int
    return f"2001:db8:{number % 65536:x}:{number // 65536 % 65536:x}::1"


class Asked:
    """Somebody with two sessions who has forgotten the password, and the mail that they got."""

    def __init__(self, atelier: Atelier, browsers: Callable[..., Browser]) -> None:
        self.atelier, self.person = atelier, atelier.new_marketer()
        self.browser = browsers(somewhere())
        assert outcome(self.browser.post("/session/forgot", email=self.person.email)) == "/?notice=reset_sent"
        self.link = mails.link_to(atelier.environment["SUPABASE_URL"], self.person.email)
        self.token = self.link.params["token_hash"]

    def open(self) -> httpx.Response:
        return self.browser.http.get(self.link.raw_path.decode())

    def send(self, password: str = NEW, **form: str) -> httpx.Response:
        return self.browser.post(
            "/session/password", **({"token_hash": self.token, "password": password, "again": password} | form)
        )


@pytest.fixture
def asked(atelier: Atelier, browsers: Callable[..., Browser]) -> Asked:
    return Asked(atelier, browsers)


def opens(browser: Browser, person: Person, password: str) -> str:
    return outcome(browser.sign_in(person.email, password))


def test_the_whole_way(asked: Asked, browsers: Callable[..., Browser]) -> None:
    elsewhere, bystander = browsers(somewhere()), asked.atelier.new_marketer()
    elsewhere.sign_in(asked.person.email)
    assert sessions.current(elsewhere.cookie)
    for _ in range(3):  # a scanner, an impatient person: opening does nothing
        opened = asked.open()
        assert (opened.status_code, mails.hidden(opened.text)) == (200, {"token_hash": asked.token})
    assert sessions.current(elsewhere.cookie)
    assert outcome(asked.send()) == SET
    assert asked.browser.cookie == ""  # nobody is signed in by a link
    assert sessions.current(elsewhere.cookie) is None
    assert sessions.current(asked.atelier.cookies[asked.person.user_id]) is None
    assert sessions.current(asked.atelier.cookies[bystander.user_id])
    assert opens(browsers(somewhere()), asked.person, PASSWORD) == "WRONG"
    assert opens(asked.browser, asked.person, NEW) == "/"
    # The link a second time: nothing more happens.
    assert outcome(asked.send("a third password of length")) == "LINK_USED"
    assert sessions.current(asked.browser.cookie)


def test_an_earlier_link_ends_with_the_next_one(asked: Asked) -> None:
    first = asked.token
    asked.browser.post("/session/forgot", email=asked.person.email)
    asked.token = mails.link_to(asked.atelier.environment["SUPABASE_URL"], asked.person.email).params["token_hash"]
    assert outcome(asked.send(token_hash=first)) == "LINK_USED"
    assert outcome(asked.send()) == SET


def test_what_is_no_new_password_is_said_and_the_link_stays_good(
    asked: Asked, browsers: Callable[..., Browser]
) -> None:
    wrong = (("too few", "at least 10 characters"), ("ü" * 40, "at most 72 characters"))
    for password, sentence in wrong:
        refused = asked.send(password)
        assert (refused.status_code, mails.hidden(refused.text)) == (422, {"token_hash": asked.token})
        assert sentence in refused.text
        assert password not in refused.text
    assert "not the same" in asked.send(again="something else").text
    # That it is the one of before only Supabase knows, after the link: what it proved is good for another try.
    same = asked.send(PASSWORD)
    assert "your password before" in same.text
    proof = mails.hidden(same.text)
    assert set(proof) == {"proof"}
    assert outcome(asked.send()) == "LINK_USED"
    tampered = proof["proof"][:-8] + "AAAAAAA="
    assert outcome(asked.send(proof=tampered)) == "LINK_USED"
    assert outcome(asked.send(**proof)) == SET
    assert opens(browsers(somewhere()), asked.person, NEW) == "/"


def test_a_proof_is_no_way_of_trying_out_the_password(asked: Asked) -> None:
    proof = mails.hidden(asked.send(PASSWORD).text)
    told = [asked.send(PASSWORD, **proof) for _ in range(5)]
    assert [answer.status_code for answer in told] == [422] * 4 + [303]
    assert outcome(told[-1]) == "TOO_MANY"


def test_what_a_link_has_proved_is_good_for_a_quarter_of_an_hour(asked: Asked) -> None:
    proof = mails.hidden(asked.send(PASSWORD).text)["proof"]
    opened = unseal(proof, "new-password")
    assert opened
    *facts, until = json.loads(opened)
    assert 800 < until - time.time() <= 900
    old = seal(json.dumps([*facts, time.time() - 1]).encode(), "new-password")
    elsewhere = seal(opened, "session-tokens")  # for another purpose
    assert [outcome(asked.send(proof=one)) for one in (old, elsewhere)] == ["LINK_USED"] * 2
    assert outcome(asked.send(proof=proof)) == SET
    assert outcome(asked.send("a third password of length", proof=proof)) == "LINK_USED"


def test_an_expired_link_sets_nothing(asked: Asked, browsers: Callable[..., Browser]) -> None:
    asked.atelier.rows.execute(
        "update auth.users set recovery_sent_at = now() - interval '61 minutes' where id = %s", (asked.person.user_id,)
    )
    assert asked.open().status_code == 200  # which only Supabase knows
    assert outcome(asked.send()) == "LINK_USED"
    assert opens(browsers(somewhere()), asked.person, PASSWORD) == "/"


def test_a_tampered_link_sets_nothing(asked: Asked, browsers: Callable[..., Browser]) -> None:
    last = "0" if asked.token[-1] != "0" else "1"
    for token in (
        asked.token[:-1] + last,
        asked.token[:-1],
        asked.token + "0",
        asked.token.upper(),
        "",
        "'; --",
        "\x00",
    ):
        assert outcome(asked.send(token_hash=token)) == "LINK_USED"
    for query in ("", f"?token_hash={asked.token}", "?token_hash=%3Cscript%3E&type=recovery", "?type=recovery"):
        assert outcome(asked.browser.http.get(f"/password{query}")) == "LINK_USED"
    # The token of one purpose is none for a session or for another person.
    assert sessions.current(asked.token) is None
    assert opens(browsers(somewhere()), asked.person, PASSWORD) == "/"
    assert outcome(asked.send()) == SET


def test_another_site_sends_neither_form(asked: Asked) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}, {"Origin": "null"}):
        form = {"token_hash": asked.token, "password": NEW, "again": NEW}
        for path in ("/session/password", "/session/confirm"):
            answer = asked.browser.http.post(path, data=form, headers=headers)
            assert (answer.status_code, answer.headers.get_list("set-cookie")) == (403, [])
    assert outcome(asked.send()) == SET


def test_guessing_links_ends_soon(atelier: Atelier, browsers: Callable[..., Browser]) -> None:
    guesser, token = browsers(somewhere()), uuid4().hex
    form = {"password": NEW, "again": NEW}
    told = [outcome(guesser.post("/session/password", token_hash=token, **form)) for _ in range(6)]
    assert told == ["LINK_USED"] * 5 + ["TOO_MANY"]
    told = [outcome(guesser.post("/session/confirm", token_hash=uuid4().hex)) for _ in range(96)]
    assert told == ["CONFIRM_USED"] * 95 + ["TOO_MANY"]
    # Whoever has a real link elsewhere is not kept waiting by that.
    assert outcome(Asked(atelier, browsers).send()) == SET


def test_an_email_is_confirmed_by_the_button_once_and_nobody_is_signed_in(
    atelier: Atelier, browsers: Callable[..., Browser]
) -> None:
    """By the token of a magic link, which Supabase takes, too; by that of a confirmation in test_proved_addresses."""
    person, browser = atelier.new_marketer(), browsers(somewhere())
    get_database().auth().auth.sign_in_with_otp({"email": person.email})
    token = mails.link_to(atelier.environment["SUPABASE_URL"], person.email).params["token"]
    for _ in range(2):
        opened = browser.http.get("/confirm", params={"token_hash": token, "type": "email"})
        assert (opened.status_code, mails.hidden(opened.text)) == (200, {"token_hash": token})
    assert outcome(browser.post("/session/confirm", token_hash=token)) == "/?notice=confirmed"
    assert browser.cookie == ""
    assert outcome(browser.post("/session/confirm", token_hash=token)) == "CONFIRM_USED"
    assert sessions.current(atelier.cookies[person.user_id])  # nothing else has changed


def test_nothing_tells_where_the_token_is(asked: Asked) -> None:
    """No script, no address of anybody else, the token in the form alone, no cache, no referrer, no frame."""
    opened = asked.open()
    assert opened.text.count(asked.token) == 1
    assert "<script" not in opened.text
    assert "http" not in opened.text
    assert opened.headers["referrer-policy"] == "strict-origin"
    assert opened.headers["cache-control"] == "no-store"
    policy = opened.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "script-src" not in policy
    assert "form-action 'self'; frame-ancestors 'none'" in policy
    for name in ("x-content-type-options", "permissions-policy", "cross-origin-opener-policy"):
        assert opened.headers[name]
    answer = asked.send()
    assert asked.token not in str(answer.headers)


def test_while_supabase_is_away_the_link_is_not_lost(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    from core import mailed_links
    from core.errors import DatabaseUnavailable

    with monkeypatch.context() as away:
        away.setattr("core.mailed_links.get_database", lambda: _Away())
        for _ in range(7):  # nor counted
            with pytest.raises(DatabaseUnavailable):
                mailed_links.prove(asked.token, address=somewhere())
    assert outcome(asked.send()) == SET


class _Away:
    """A Supabase that nobody reaches; the database does answer."""

    def auth(self) -> object:
        raise httpx.ConnectError("no such host")
