"""The Admin page on an office from memory: who is there, what waits, what is wrong."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from streamlit.testing.v1 import AppTest

from core import chores, limits, margins, operations, people
from core.admin import audits, catalogue, jobs, replay, system, trail
from core.admin.audits import Audit
from core.admin.catalogue import CatalogueChange, CatalogueType
from core.admin.jobs import OpenJob, OpenJobs, StateCount
from core.admin.replay import Replay
from core.admin.system import DatabaseState, Health, Posting, Provider, Storage, Worker
from core.admin.trail import TrailChoices, TrailFilter, TrailLine, TrailPage
from core.margins import MarginReport
from core.models import Person, Waiting
from core.operations import InboxEvent, Overview
from core.people import Decided, Member, MemberPage
from tests.unit.ui import doubles
from tests.unit.ui.studio import Open, Studio

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


@pytest.fixture(name="office")
def office_fixture(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Office:
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


@pytest.fixture(name="section")
def section_fixture(office: Office, open_page: Open) -> Any:
    """Opens the admin page at a section."""

    def section(name: str) -> AppTest:
        assert office.calls is not None
        app = open_page("admin")
        app.button_group(key="section").set_value(name).run()
        assert not app.exception
        return app

    return section
