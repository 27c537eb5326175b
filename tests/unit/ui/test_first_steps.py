"""What a newcomer is told to do first, and when it is said no longer."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.settings import get_settings
from tests.unit.ui import doubles
from tests.unit.ui.office import Office, office_fixture, overview  # noqa: F401
from tests.unit.ui.studio import Open, Studio, press, words_on
from ui import first_steps, form


def is_shown(app: AppTest, heading: str = "First steps") -> bool:
    return heading in [header.value for header in app.subheader]


def test_a_newcomer_is_led_to_a_first_image(studio: Studio, open_page: Open) -> None:
    studio.person = doubles.person(available=20)
    app = open_page()
    assert is_shown(app)
    assert r"You have 20 credits\. Two images take 1 credit\." in words_on(app)
    assert not app.text_area(key=form.PROMPT).value
    app.button(key="first-steps-fill").click().run()
    assert app.text_area(key=form.PROMPT).value == first_steps.READY_PROMPT
    assert studio.submitted == [], "nothing is sent before the button is pressed"
    assert "first-steps-fill" not in [button.key for button in app.button]
    press(app)
    assert [order[1] for order in studio.submitted] == [first_steps.FIRST_TYPE]
    assert "It is being made" in words_on(app)
    studio.finished = [doubles.job()]
    studio.open = []
    assert not is_shown(app.run()), "the first image is there"


def test_it_can_be_put_away(open_page: Open) -> None:
    app = open_page()
    app.button(key="first-steps-hide").click().run()
    assert not is_shown(app)
    assert not is_shown(app.run())


def test_without_credits_the_way_to_some_is_shown(studio: Studio, open_page: Open) -> None:
    studio.person = doubles.person(available=0)
    app = open_page()
    assert "You have none yet" in words_on(app)
    assert "step-Credits" in [button.key for button in app.button]
    studio.person = replace(studio.person, is_unmetered=True)
    assert "You need none" in words_on(app.run())


def test_who_waits_sees_what_comes_next(studio: Studio, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.person = doubles.person(is_approved=False)
    assert r"You get 20 credits to begin with\." in words_on(open_page())
    monkeypatch.setenv("WELCOME_CREDITS", "0")
    get_settings.cache_clear()
    assert "You buy credits, or an admin gives you some" in words_on(open_page())
    get_settings.cache_clear()


def test_the_first_admin_sees_how_to_set_up_the_studio(
    office: Office, open_page: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("core.settings.ENV_FILE", tmp_path / "none")
    monkeypatch.setenv("ATELIER_SIMULATED", "fal.ai,Stripe")
    get_settings.cache_clear()
    unset = replace(doubles.BUDGET, amount=None, remaining=None)
    new = {"done_today": 0, "spent_month": Decimal(0), "budget": unset}
    office.overview = overview(**new)
    app = open_page("admin")
    assert is_shown(app, "Set up the studio")
    said = words_on(app)
    for sentence in (r"2 people wait for your approval\.", "Enter what the fal", r"fal\.ai, Stripe\."):
        assert sentence in said
    app.button(key="step-Catalogue").click().run()
    assert app.button_group(key="section").value == "Catalogue"
    office.overview = overview(**(new | {"done_today": 1}))
    assert not is_shown(app.run(), "Set up the studio"), "work has begun"
    get_settings.cache_clear()


def test_an_admin_who_is_new_is_sent_to_set_up_first(studio: Studio, open_page: Open) -> None:
    studio.person = doubles.person(role="admin")
    app = open_page()
    assert "You are an admin" in words_on(app)
    assert "step-Admin" in [button.key for button in app.button]
