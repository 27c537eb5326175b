"""Admin, Operations: stuck jobs, the inbox, health, the audit."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.admin.audits import Audit, Violation
from core.admin.replay import Replay
from core.admin.system import Posting, Rate
from core.errors import InsufficientCredits
from core.stripe_events import EVENT_TYPES
from tests.unit.ui.office import (
    NOON,
    Office,
    event,
    office_fixture,  # noqa: F401
    overview,
    section_fixture,  # noqa: F401
)
from tests.unit.ui.studio import words_on
from ui import admin_health, admin_inbox, admin_rates, inbox_table


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
    assert "last 30 days" not in words_on(app)
    app.text_input(key="inbox-text").input("storage").run()
    assert "Looked for in the calls of the last 30 days" in words_on(app)
    app.button_group(key="inbox-status").set_value("dead").run()
    app.button(key="inbox-replay-dead").click().run()
    assert ("replay_dead",) in office.calls
    assert "1 replayed: 1 processed." in [toast.value for toast in app.toast]


def test_a_call_says_what_happened_in_words() -> None:
    """Every event that Stripe is asked to send has words; what is not known is shown as it came."""
    assert {inbox_table.event_words(name) for name in EVENT_TYPES}.isdisjoint(EVENT_TYPES)
    assert inbox_table.event_words("charge.succeeded") == "charge.succeeded"
    paid = event(provider="stripe", event_type="checkout.session.completed", prompt=None, result="granted")
    assert inbox_table.about(paid) == "Credits granted"
    assert inbox_table.about(replace(paid, result="no_change")) == "No change"
    assert inbox_table.about(replace(paid, result=None)) == "No job with this request"


def test_what_came_of_a_replay() -> None:
    again = Replay(1, "dead", None, "No job with this request.", None)
    done = Replay(2, "processed", "settled", None, None)
    assert admin_inbox.outcome((done, again)) == "2 replayed: 1 processed, 1 dead. No job with this request."


def test_health_says_what_is_wrong_with_which_part(section: Any) -> None:
    app = section("Operations")
    health = next(table.value for table in app.table if "Last error" in table.value)
    state = dict(zip(health["Part"], health["State"], strict=True))
    wrong = [said.startswith(":red") for said in health["State"]]
    assert wrong == sorted(wrong, reverse=True), "what is wrong comes first"
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


def test_calls_are_counted_exactly_until_ten_thousand() -> None:
    assert [admin_inbox.counted(number) for number in (0, 234, 1000, 1001)] == ["0", "234", "1,000", "1,000+"]
