"""The Admin page: the figures on top, people, catalogue, operations, trail."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from streamlit.testing.v1 import AppTest

from core import chores, limits, margins, operations, people
from core.admin import audits, catalogue, jobs, replay, system, trail
from core.admin.audits import Audit, Violation
from core.admin.catalogue import CatalogueChange, CatalogueType
from core.admin.jobs import OpenJob, OpenJobs, StateCount
from core.admin.replay import Replay
from core.admin.system import DatabaseState, Health, Posting, Provider, Rate, Storage, Worker
from core.admin.trail import TrailChoices, TrailFilter, TrailLine, TrailPage
from core.errors import InsufficientCredits
from core.margins import MarginReport
from core.models import Person, Waiting
from core.operations import InboxEvent, Overview
from core.people import Decided, Member, MemberPage
from tests.unit.ui import doubles
from tests.unit.ui.studio import Open, Studio, words_on
from ui import admin_attention, admin_health, admin_inbox, admin_rates, menu, trail_words

NOON = doubles.NOON
LEA, TOM = uuid4(), uuid4()


def overview(**changes: Any) -> Overview:
    return replace(
        Overview(
            running=3,
            in_line=1,
            done_today=46,
            failed_today=1,
            spent_today=Decimal("1.80"),
            spent_usual=Decimal("2.40"),
            budget=doubles.BUDGET,
            worker_beat_at=None,
            fal_unwell_since=None,
            fal_last_error=None,
            inbox={"processed": 2},
            spent_month=Decimal("4.12"),
            people_waiting=2,
            audited_at=NOON,
            violations=0,
        ),
        **changes,
    )


def member(user_id: UUID = LEA, **changes: Any) -> Member:
    return replace(
        Member(
            user_id=user_id,
            email="lea@studio.example",
            full_name="Lea Martin",
            role="user",
            state="approved",
            is_unmetered=False,
            cap=None,
            spent_month=Decimal("1.20"),
            available=20,
            held=0,
            open_jobs=0,
            sessions=1,
            created_at=NOON,
            last_seen_at=NOON,
            approved_at=NOON,
            approved_by="Mara Costa",
            declined_at=None,
        ),
        **changes,
    )


def known_type(**changes: Any) -> CatalogueType:
    return replace(
        CatalogueType(
            generation_type="image_flux_dev",
            label="Flux Dev · finer detail",
            media_kind="image",
            endpoint="fal-ai/flux/dev",
            credits=5,
            credit_unit="image",
            price_unit="megapixels",
            unit_price=Decimal("0.025000"),
            price_source="synced",
            price_synced_at=NOON,
            estimated_seconds=12,
            default_params={},
            enabled=True,
            updated_at=NOON,
            problem=None,
        ),
        **changes,
    )


def open_job(**changes: Any) -> OpenJob:
    return replace(
        OpenJob(
            id=uuid4(),
            user_id=LEA,
            person="Lea Martin",
            generation_type="image_flux_dev",
            label="Flux Dev",
            state="in_progress",
            stuck=("slow",),
            prompt="Three glazed spheres",
            created_at=NOON,
            age_seconds=700,
            expected_seconds=12,
            submitted_at=NOON,
            fal_request_id="7f3c",
            check_count=9,
            checked_at=NOON,
            next_check_at=NOON,
            give_up_at=NOON,
            cancel_requested_at=None,
            lease_owner=None,
            lease_until=None,
            message=None,
            credits_held=5,
            estimated_usd=Decimal("0.025"),
        ),
        **changes,
    )


def event(number: int = 1, **changes: Any) -> InboxEvent:
    found = InboxEvent(number, NOON, "fal", "OK", "processed", "completed", 1, 0, None, None, "Spheres")
    return replace(found, **changes)


def line(**changes: Any) -> TrailLine:
    found = TrailLine(1, NOON, uuid4(), "Mara Costa", "set_role", str(LEA), "Lea Martin", None, None, None)
    return replace(found, **changes)


class Office:
    """What an admin sees, and what they did."""

    def __init__(self) -> None:
        self.overview = overview()
        self.violations: tuple[str, ...] = ()
        self.waiting: tuple[Waiting, ...] = ()
        self.members = (member(), member(TOM, full_name="Tom Okafor", email="tom@studio.example", state="off"))
        self.types = (known_type(), known_type(generation_type="image_hd", label="Nano", enabled=False))
        self.jobs = (open_job(),)
        self.events = (event(),)
        self.lines = (line(),)
        self.audit: Audit | None = None
        self.calls: list[tuple[Any, ...]] = []
        self.refuses: Exception | None = None

    def note(self, *call: Any) -> None:
        self.calls.append(call)
        if self.refuses is not None:
            raise self.refuses

    def decide(self, name: str) -> Any:
        def decide(_person: Person, user_ids: list[UUID]) -> Decided:
            self.note(name, list(user_ids))
            return Decided(tuple(user_ids), (), ())

        return decide

    def search(self, _person: Person, text: str = "", *, show: str = "all", limit: int = 50) -> MemberPage:
        self.calls.append(("search", text, show, limit))
        found = tuple(one for one in self.members if text in one.email or text in one.full_name)
        return MemberPage(found, None, {"all": len(self.members), "off": 1})

    def find(self, _person: Person, **wanted: Any) -> tuple[InboxEvent, ...]:
        return tuple(one for one in self.events if wanted["status"] in (None, one.status))

    def open_jobs(
        self, _person: Person, *, state: str | None = None, only_stuck: bool = False, limit: int = 100
    ) -> OpenJobs:
        self.calls.append(("open_jobs", state, only_stuck, limit))
        states = {"in_progress": StateCount(1, 1, NOON)} if self.jobs else {}
        return OpenJobs(states, self.jobs)

    def trail(self, _person: Person, wanted: TrailFilter, *, limit: int) -> TrailPage:
        self.calls.append(("trail", wanted.text, wanted.action, limit))
        return TrailPage(tuple(one for one in self.lines if wanted.text in (one.target_name or "")), None)


@pytest.fixture
def office(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Office:
    studio.person = doubles.person(role="admin", people_waiting=2)
    office = Office()
    health = Health(
        workers=(Worker("one", NOON, NOON, True),),
        providers=(Provider("fal", "Exhausted balance.", NOON, None, NOON, "403", NOON),),
        storage=Storage(3, 10_000_000, 1, 1, "Too large"),
        database=DatabaseState(12_000_000, "17.2", 0.004, "claim_work: it was away", NOON),
        posting=Posting(0, 0, None, None),
        sessions=2,
    )
    report = MarginReport(90, Decimal("1.1"), Decimal("0.3"), Decimal("0.139"), None, ())
    note = office.note
    replaced: dict[Any, dict[str, Any]] = {
        operations: {
            "overview": lambda _p: office.overview,
            "audit": lambda _p: office.violations,
            "inbox": office.find,
        },
        people: {
            "waiting": lambda _p, limit: office.waiting[:limit],
            "search": office.search,
            "approve_many": office.decide("approve"),
            "decline_many": office.decide("decline"),
            "grant_credits": lambda _p, who, amount, reason, _key: note("grant", who, amount, reason),
            "set_role": lambda _p, who, role, reason: note("role", who, role, reason),
            "deactivate": lambda _p, who, reason: note("off", who, reason),
        },
        limits: {"set_monthly_cap": lambda _p, who, cap, reason: note("cap", who, cap, reason)},
        catalogue: {
            "types": lambda _p: office.types,
            "history": lambda _p, **_limit: (
                CatalogueChange(
                    NOON, "image_hd", "Nano", "edit_generation_type", "Mara", {"credits": 5}, {"credits": 6}, "Dear"
                ),
            ),
            "edit": lambda _p, known, **changes: note("edit", known, changes),
            "set_price": lambda _p, known, price, reason: note("price", known, price, reason) or known_type(),
        },
        margins: {"margins": lambda _p: report},
        jobs: {"open_jobs": office.open_jobs, "mark_failed": lambda _p, job, reason: note("fail", job, reason)},
        replay: {"replay_dead": lambda _p: note("replay_dead") or (Replay(7, "processed", "settled", None, None),)},
        system: {
            "health": lambda _p: health,
            "rates": lambda _p, **_span: (),
            "failures": lambda _p, **_span: (),
        },
        audits: {"last": lambda _p: office.audit, "run": lambda _p: note("audit") or office.audit},
        chores: {"states": lambda _p: ()},
        trail: {
            "search": office.trail,
            "choices": lambda _p: TrailChoices(("set_role", "approve_person"), ((LEA, "Lea Martin"),)),
        },
    }
    for module, functions in replaced.items():
        for name, function in functions.items():
            monkeypatch.setattr(module, name, function)
    monkeypatch.setattr("ui.admin_prices.draw", lambda _person: None)
    return office


@pytest.fixture
def section(office: Office, open_page: Open) -> Any:
    """Opens the admin page at a section."""

    def section(name: str) -> AppTest:
        assert office.calls is not None
        app = open_page("admin")
        app.button_group(key="section").set_value(name).run()
        assert not app.exception
        return app

    return section


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
    app.button(key=f"approve-{LEA}").click().run()
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


def test_a_stuck_job_is_told_apart_and_given_up_with_a_reason(office: Office, section: Any) -> None:
    app = section("Operations")
    assert [list(state) for state in app.dataframe[0].value["Health"]] == [["Slow"]]
    app.button_group(key="admin-jobs-state").set_value("stuck").run()
    assert ("open_jobs", None, True, 100) in office.calls
    app.session_state["open-job-chosen"] = office.jobs[0].id
    app.run()
    assert "five times as long as usual" in words_on(app)
    app.text_input(key="admin-job-reason").input("It hangs").run()
    office.refuses = InsufficientCredits("No.")
    app.button(key="job-fail").click().run()
    assert ("fail", office.jobs[0].id, "It hangs") in office.calls
    assert r"**No\.**" in [error.value for error in app.error]


def test_the_inbox_filters_by_status_and_replays_the_dead(office: Office, section: Any) -> None:
    office.overview = overview(inbox={"processed": 1, "dead": 1})
    office.events = (event(), event(2, status="dead", error="Storage did not answer", prompt=None))
    app = section("Operations")
    inbox = next(frame.value for frame in app.dataframe if "About" in frame.value)
    assert list(inbox["About"]) == ["Spheres", "Storage did not answer"]
    assert app.button(key="inbox-replay").disabled
    app.button_group(key="inbox-status").set_value("ignored").run()
    assert "None of this kind" in words_on(app)
    app.button_group(key="inbox-status").set_value("dead").run()
    app.button(key="inbox-replay-dead").click().run()
    assert ("replay_dead",) in office.calls
    assert "1 replayed: 1 processed." in [toast.value for toast in app.toast]


def test_what_came_of_a_replay() -> None:
    again = Replay(1, "dead", None, "No job with this request.", None)
    done = Replay(2, "processed", "settled", None, None)
    assert admin_inbox.outcome((done, again)) == "2 replayed: 1 processed, 1 dead. No job with this request."


def test_health_says_what_is_wrong_with_which_part(section: Any) -> None:
    app = section("Operations")
    health = next(table.value for table in app.table if "Last error" in table.value)
    state = dict(zip(health["Part"], health["State"], strict=True))
    assert state[r"fal\.ai"].startswith(":red[●] Locked since")
    assert state["Worker"].startswith(":green[●] 1 at work")
    assert "could not be copied" in state["Storage"]
    error = dict(zip(health["Part"], health["Last error"], strict=True))
    assert r"claim\_work\: it was away" in error["Database"]
    assert "ALERT" in state["Alert address"]


@pytest.mark.parametrize(
    ("posting", "is_well", "said"),
    [
        (Posting(0, 0, None, None), True, "None posted this week"),
        (Posting(1, 0, None, "HTTP 500"), False, "1 wait to be posted again, none posted this week"),
        (Posting(0, 2, NOON, "HTTP 404"), False, "2 could not be posted, last posted"),
    ],
)
def test_health_says_whether_alerts_arrive(posting: Posting, is_well: bool, said: str) -> None:
    line = admin_health.posting(posting, has_address=True)
    assert (line.is_well, line.last_error) == (is_well, posting.last_error or "")
    assert line.state.startswith(said)


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 bytes"), (340, "340 bytes"), (9_961_472, "9.5 MB"), (348_160, "340 KB"), (2**40, "1.0 TB")],
)
def test_sizes(number: int, said: str) -> None:
    assert admin_health.size(number) == said


def test_the_audit_shows_its_last_result_and_runs_now(office: Office, section: Any) -> None:
    app = section("Operations")
    assert "It has not run yet" in words_on(app)
    fault = Violation("I1", "account of Lea", "available is 3, the entries say 4")
    office.audit = Audit(NOON, NOON + timedelta(seconds=2), "Mara", 1, (fault,))
    app.button(key="audit-now").click().run()
    assert ("audit",) in office.calls
    assert r"1 fault found\." in words_on(app)
    assert list(app.table[-1].value["Rule"]) == ["I1"]


def test_rates_are_summed_and_stacked() -> None:
    rates = (Rate(NOON, "fal", 10, 9, 1, 2), Rate(NOON, "stripe", 1, 1, 0, 0))
    assert admin_rates.sentence(rates) == "11 received, 10 verified, 1 refused, 2 failed"
    assert admin_rates.sentence(()) == "No call has come in."


def test_the_trail_is_searched(office: Office, section: Any) -> None:
    office.lines = (
        line(before={"role": "user"}, after={"role": "admin"}, reason="Mara is away"),
        line(id=2, target_name="Tom", action="refused", actor=None, actor_name=None),
    )
    app = section("Trail")
    table = app.dataframe[0].value
    assert list(table["Change"]) == ["role user → admin", ""]
    assert list(table["Who"]) == ["Mara Costa", "Configuration"]
    app.session_state["trail-chosen"] = office.lines[0]
    app.run()
    assert [json.loads(part.value) for part in app.json] == [{"role": "user"}, {"role": "admin"}]
    assert app.table[0].value.iloc[:, -1].tolist()[-1] == "Mara is away"
    del app.session_state["trail-chosen"]
    app.text_input(key="trail-text").input("Tom").run()
    app.selectbox(key="trail-action").select("set_role").run()
    assert office.calls[-1] == ("trail", "Tom", "set_role", 50)
    assert len(app.dataframe[0].value) == 1


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"enabled": True}, {"enabled": False}, "enabled yes → no"),
        (
            {"unit_price_usd": "0.025000", "label": "A"},
            {"unit_price_usd": "0.03", "label": "A"},
            "price $0.025 → $0.03",
        ),
        (None, {"sessions": 2}, "sessions 2"),
        (
            {"error": "Away", "status": "dead", "attempts": 2},
            {"job": "3f2b0000-0000-4000-8000-00000000a91e", "error": None, "status": "processed", "attempts": 3},
            "status dead → processed, error Away → nothing, attempts 2 → 3, job 3f2b…a91e",
        ),
        (
            {"next_check_at": "2026-11-20T12:04:05.123456+02:00"},
            {"next_check_at": "2026-11-20T12:00:00+00:00"},
            "next look 20 Nov 10:04 UTC → 20 Nov 12:00 UTC",
        ),
        ({"available": 1200}, {"available": 1197, "amount": -3}, "credits 1,200 → 1,197"),
        (
            {"price_source": "synced", "cap": None},
            {"price_source": "manual", "cap": "5.000000"},
            "cap $5.00, price from fal.ai → by hand",
        ),
        ({"cap": "5"}, {"cap": None}, "cap $5.00 → nothing"),
        ({"a": None}, {"a": None}, ""),
        (None, None, ""),
        ("x", "y", "x → y"),
    ],
)
def test_a_change_in_words(before: Any, after: Any, said: str) -> None:
    assert trail_words.difference(before, after) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Lea Martin"),
        ({"target_name": None}, f"{str(LEA)[:4]}…{str(LEA)[-4:]}"),
        ({"target_name": None, "target": "team"}, "Team"),
        ({"target_name": None, "target": None}, ""),
        ({"target_name": None, "target": "42", "action": "replay_event"}, "Call 42"),
        ({"target_name": None, "target": "edit_generation_type", "action": "refused"}, "Edit type"),
        ({"target_name": None, "target": "page:admin", "action": "refused"}, "Admin page"),
    ],
    ids=["name", "id", "team", "nothing", "call", "function", "page"],
)
def test_whom_it_was_done_to(changes: dict[str, Any], said: str) -> None:
    assert trail_words.target(line(**changes)) == said


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


def test_calls_are_counted_exactly_until_ten_thousand() -> None:
    assert [admin_inbox.counted(number) for number in (0, 1234, 10_000, 10_001)] == ["0", "1,234", "10,000", "10,000+"]
