"""Who may see what: nobody without a session, nobody before approval, admin pages for admins, calm words otherwise."""

from decimal import Decimal
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.models import Budget
from tests.unit.ui import doubles
from tests.unit.ui.studio import MAIN, Open, Studio, words_on


@pytest.mark.parametrize("name", ["generate", "jobs", "budget", "credits", "admin"])
def test_nobody_sees_a_page_without_signing_in(studio: Studio, name: str) -> None:
    studio.person = None
    page = AppTest.from_file(MAIN.parent.parent / "pages" / f"{name}.py", default_timeout=30).run()
    assert not page.exception
    assert [info.value for info in page.info] == ["Sign in to see this page."]
    assert not page.title
    assert not page.button


@pytest.mark.parametrize("name", ["generate", "jobs", "budget", "credits", "admin"])
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"is_approved": False}, "Your account has to be approved by an admin first."),
        ({"is_active": False}, "Your account is switched off. Ask an admin if that should not be so."),
    ],
)
def test_nobody_sees_a_page_before_approval_or_when_switched_off(
    studio: Studio, name: str, changes: dict[str, Any], sentence: str
) -> None:
    studio.person = doubles.person(role="admin", **changes)
    page = AppTest.from_file(MAIN.parent.parent / "pages" / f"{name}.py", default_timeout=30).run()
    assert [info.value for info in page.info] == [sentence]
    assert not page.title
    assert studio.noted == ([(doubles.ME, "page:admin")] if name == "admin" else [])


def test_the_admin_page_is_for_admins_and_others_leave_a_trace(studio: Studio) -> None:
    studio.person = doubles.person()
    page = AppTest.from_file(MAIN.parent.parent / "pages" / "admin.py", default_timeout=30).run()
    assert [heading.value for heading in page.subheader] == ["This page is for admins"]
    assert [button.label for button in page.button] == ["Go to Generate"]
    assert not page.title
    assert studio.noted == [(doubles.ME, "page:admin")]


def test_without_a_session_there_is_the_way_in_and_nothing_else(studio: Studio, open_page: Open) -> None:
    studio.person = None
    app = open_page()
    assert [title.value for title in app.title] == ["Make something worth showing."]
    form = next(html.value for html in app.html if "<form" in html.value)
    assert 'method="post" action="/session/login"' in form
    assert 'type="password"' in form
    assert {button.label for button in app.button} == {"Create an account", "Forgot your password?"}


def test_the_sign_in_page_shows_sentences_for_codes_and_no_text_of_the_address(studio: Studio, open_page: Open) -> None:
    studio.person = None
    assert "do not match" in open_page(error="WRONG").error[0].value
    odd = open_page(error="<b>owned</b>", next='/jobs?x="><script>', view="nonsense")
    assert odd.error[0].value == "That did not work. Try again in a moment."
    assert "owned" not in words_on(odd)
    assert "<script>" not in words_on(odd)


def test_signing_up_and_a_forgotten_password_are_variants(studio: Studio, open_page: Open) -> None:
    studio.person = None
    app = open_page(error="WRONG")
    app.button(key="show_signup").click().run()
    assert 'action="/session/signup"' in words_on(app)
    assert not app.error
    app.button(key="show_signin").click().run()
    app.button(key="show_forgot").click().run()
    assert 'action="/session/forgot"' in words_on(app)
    assert 'type="password"' not in words_on(app)


def test_somebody_unapproved_waits_calmly(studio: Studio, open_page: Open) -> None:
    studio.person = doubles.person(is_approved=False)
    app = open_page()
    assert [title.value for title in app.title] == ["Waiting for approval."]
    assert "/session/logout" in words_on(app)
    studio.person = doubles.person(is_active=False)
    assert [title.value for title in open_page().title] == ["This account is closed."]


def test_a_session_that_ends_elsewhere_ends_here(studio: Studio, open_page: Open) -> None:
    app = open_page()
    assert [title.value for title in app.title] == ["Generate"]
    studio.person = None
    app.run()
    assert [title.value for title in app.title] == ["Make something worth showing."]


def test_a_database_that_is_away_is_said_calmly(studio: Studio, open_page: Open) -> None:
    app = open_page("credits")
    studio.is_down = True
    app.run()
    assert not app.exception
    assert "cannot reach its database" in words_on(app)
    studio.is_down = False
    app.button(key="try_again").click().run()
    assert [title.value for title in app.title] == ["Credits"]


def test_the_bar_says_credits_and_budget(open_page: Open) -> None:
    labels = [link.proto.label for link in open_page().get("page_link")]
    assert labels == [":material/toll: 83 credits", "Buy", r"\$20\.80 left"]


def test_a_locked_account_and_a_low_budget_are_said_on_every_page(studio: Studio, open_page: Open) -> None:
    low = Budget(spent=Decimal(45), amount=Decimal(50), taken_at=doubles.NOON, remaining=Decimal(5))
    studio.person = doubles.person(fal_lock_reason="Exhausted balance. *Top up*.", budget=low)
    app = open_page("credits")
    assert "fal.ai/dashboard/billing" in app.error[0].value
    assert r"Exhausted balance\. \*Top up\*\." in app.error[0].value
    assert r"\$5\.00 is left, 10%" in app.warning[0].value
    assert open_page().button(key="generate-button").disabled
