"""The Admin page: the figures on top, people, catalogue, operations, trail."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from streamlit.testing.v1 import AppTest

from core.errors import InsufficientCredits
from core.models import Waiting
from core.people import Member
from tests.unit.ui import doubles
from tests.unit.ui.office import (
    LEA,
    NOON,
    TOM,
    Office,
    member,
    office_fixture,  # noqa: F401
    overview,
    section_fixture,  # noqa: F401
)
from tests.unit.ui.studio import Open, words_on
from ui import admin_attention, menu


def test_five_figures_answer(office: Office, open_page: Open) -> None:
    app = open_page("admin")
    labels = ["Running now", "Done today", "Spent today", "Left to spend", "Books"]
    assert [metric.label for metric in app.metric] == labels
    assert app.metric[4].value == "In balance"
    assert app.metric[2].delta == "↓ 25% vs usual"
    assert r"\$4\.12 spent this month" in words_on(app)
    assert "worker has not been seen yet" in app.error[0].value
    assert "Nothing waits" not in words_on(app)
    office.overview = overview(violations=1, stuck=2, failed_last_hour=4, inbox={"dead": 3})
    office.violations = ("I1: account: off by 3",)
    app.run()
    assert [app.metric[place].delta for place in (0, 1)] == ["2 stuck", "4 failed in 1 h"]
    assert app.metric[4].value == "1 fault"
    assert "off by 3" in words_on(app)
    asked = [":small[2 jobs are stuck]", ":small[3 dead letters]", ":small[4 jobs failed in the last hour]"]
    assert [app.button(key=f"task-{number}").label for number in range(4)] == [*asked, ":small[2 people wait]"]
    app.button(key="task-0").click().run()
    assert app.button_group(key="section").value == "Operations"
    office.overview = overview(people_waiting=0)
    assert "Nothing waits for you" in words_on(app.run())


def test_the_navigation_says_how_many_wait() -> None:
    waiting = doubles.person(role="admin", people_waiting=2)
    assert menu.title("admin", waiting) == "Admin :red-badge[2]"
    assert menu.title("admin", replace(waiting, people_waiting=0)) == "Admin"
    assert menu.title("jobs", waiting) == "Jobs"


def test_people_who_wait_are_approved_one_by_one_or_together(office: Office, open_page: Open) -> None:
    office.waiting = (
        Waiting(LEA, "lea@studio.example", "Lea **Martin**", NOON),
        Waiting(TOM, "tom@studio.example", "Tom", NOON),
    )
    app = open_page("admin")
    assert r"Lea \*\*Martin\*\*" in words_on(app)
    assert app.button(key=f"approve-{LEA}").help == "With 20 credits to begin with, once."
    app.button(key=f"approve-{LEA}").click().run()
    asked = next(html.value for html in app.html if "lea@studio.example" in html.value)
    assert 'title="20 Nov' in asked, "the exact time when one points at it"
    assert ("approve", [LEA]) in office.calls
    assert app.button(key="approve-many").label == "Approve all 2"
    assert app.button(key="decline-many").disabled
    app.checkbox(key=f"choose-{TOM}").set_value(True).run()
    app.button(key="decline-many").click().run()
    assert ("decline", [TOM]) in office.calls
    assert "1 person declined." in [toast.value for toast in app.toast]


def test_the_list_is_searched_and_filtered_in_one_call(office: Office, open_page: Open) -> None:
    app = open_page("admin")
    assert list(app.dataframe[0].value["Name"]) == ["Lea Martin", "Tom Okafor"]
    assert [list(state) for state in app.dataframe[0].value["State"]] == [["Approved"], ["Switched off"]]
    office.calls.clear()
    app.text_input(key="people-text").input("tom").run()
    assert office.calls == [("search", "tom", "all", 50)]
    app.button_group(key="people-filter").set_value("off").run()
    assert office.calls[-1] == ("search", "tom", "off", 50)


def member_dialog(office: Office, open_page: Open, who: Member) -> AppTest:
    office.members = (who,)
    app = open_page("admin")
    app.session_state["member-chosen"] = (who.user_id, who.email)
    return app.run()


def test_credits_are_given_with_a_reason(office: Office, open_page: Open) -> None:
    app = member_dialog(office, open_page, member())
    app.text_input(key="member-reason").input("A big week")
    app.number_input(key="member-credits").set_value(50).run()
    app.button(key="member-grant").click().run()
    assert ("grant", LEA, 50, "A big week") in office.calls
    assert "50 credits given." in [toast.value for toast in app.toast]
    office.refuses = InsufficientCredits("They have 20 credits. Nothing was taken.")
    app.number_input(key="member-credits").set_value(-50).run()
    app.button(key="member-grant").click().run()
    assert app.error[-1].value == r"**They have 20 credits\.** Nothing was taken\."


def test_a_cap_is_set_and_a_role_is_changed(office: Office, open_page: Open) -> None:
    app = member_dialog(office, open_page, member())
    app.number_input(key="member-cap").set_value(25.5).run()
    app.button(key="member-set-cap").click().run()
    app.button(key="member-role").click().run()
    app.button(key="member-off").click().run()
    assert ("cap", LEA, Decimal("25.5"), "") in office.calls
    assert ("role", LEA, "admin", "") in office.calls
    assert ("off", LEA, "") in office.calls


def test_nobody_changes_their_own_role(office: Office, open_page: Open) -> None:
    app = member_dialog(office, open_page, member(doubles.ME, role="admin"))
    assert "for another admin to change" in words_on(app)
    assert not {"Make a member", "Switch this account off"} & {button.label for button in app.button}


def test_the_catalogue_shows_and_keeps_what_was_changed(office: Office, section: Any) -> None:
    app = section("Catalogue")
    table = app.dataframe[0].value
    assert list(table["Credits"]) == ["5 per image", "5 per image"]
    assert table["Price of fal.ai"].iloc[0] == "$0.025 per megapixel"
    assert [list(state) for state in table["State"]] == [["On"], ["Off"]]
    assert list(app.table[0].value["Change"]) == ["credits 5 → 6"]
    app.session_state["type-chosen"] = "image_flux_dev"
    app.run()
    app.number_input(key="type-credits").set_value(7)
    app.selectbox(key="type-defaults-image_flux_dev-shape").select("tall")
    app.text_input(key="type-reason").input("Dearer now").run()
    app.button(key="type-save").click().run()
    changes = next(call[2] for call in office.calls if call[0] == "edit")
    assert changes == {
        "label": "Flux Dev · finer detail",
        "credits": 7,
        "default_params": {"shape": "tall"},
        "enabled": True,
        "reason": "Dearer now",
    }
    assert "price" not in [call[0] for call in office.calls], "the price was not touched"
    app.text_input(key="type-price").input("0.03").run()
    app.button(key="type-save").click().run()
    assert ("price", "image_flux_dev", Decimal("0.03"), "Dearer now") in office.calls
    edits = len(office.calls)
    app.text_input(key="type-price").input("three cents").run()
    app.button(key="type-save").click().run()
    assert "Enter an amount in dollars" in app.error[-1].value
    assert not [call for call in office.calls[edits:] if call[0] in ("edit", "price")], "nothing is half saved"


def test_alerts_that_no_banner_says_are_said_once_each_at_their_worst() -> None:
    me = doubles.person(role="admin")
    team = [doubles.alert(id=number, threshold=mark, is_current=True) for number, mark in ((1, 50), (2, 25))]
    lea = [
        doubles.alert(id=mark, kind="monthly_cap", threshold=mark, user_id=LEA, person="Lea", is_current=True)
        for mark in (80, 100)
    ]
    over = doubles.alert(id=9, kind="monthly_cap", threshold=80, user_id=TOM, person="Tom", is_current=False)
    assert admin_attention.quiet((*team, *lea, over), me) == (lea[1],)
    assert admin_attention.quiet((team[0], *lea), me) == (team[0], lea[1])
