"""Rates, audits, health, housekeeping and the overview."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.errors import CheckViolation

from tests.database.admin import age, dead_letter, last_line
from tests.database.books import Books, Row, as_person, cancelled, completed, failed

COUNTS: list[Row] = [
    {"provider": "fal", "outcome": "accepted", "calls": 5},
    {"provider": "fal", "outcome": "refused", "calls": 2},
    {"provider": "fal", "outcome": "failed", "calls": 1},
    {"provider": "stripe", "outcome": "not_stored", "calls": 1},
]


def ask(books: Books, function: str, **more: Any) -> Any:
    return books.call(function, p_actor=books.admin, **more)


def break_a_balance(books: Books) -> None:
    books.owner.execute("update credit_accounts set available = available + 1 where user_id = %s", (books.admin,))


# Rates


def test_calls_are_added_up_per_hour_provider_and_outcome(books: Books) -> None:
    for _ in range(2):
        books.call("add_webhook_counts", p_counts=COUNTS)
    rates = ask(books, "webhook_rates", p_hours=2)
    assert len(rates) == 4
    earlier, now = rates[:2], rates[2:]
    assert [(row["provider"], row["received"]) for row in earlier] == [("fal", 0), ("stripe", 0)]
    told = [[row[name] for name in ("provider", "received", "verified", "refused", "failed")] for row in now]
    assert told == [["fal", 16, 12, 4, 2], ["stripe", 2, 2, 0, 2]]


def test_many_companions_at_once_lose_no_call(books: Books) -> None:
    books.race(*[("add_webhook_counts", {"p_counts": COUNTS if n % 2 else COUNTS[::-1]}) for n in range(12)])
    assert books.value("select sum(calls)::int from private.webhook_counters") == 12 * 9


@pytest.mark.parametrize("wrong", [{"provider": "other"}, {"outcome": "lost"}, {"calls": -1}])
def test_the_counters_take_nothing_else(books: Books, wrong: Row) -> None:
    with books.unchanged(), pytest.raises(CheckViolation):
        books.call("add_webhook_counts", p_counts=[COUNTS[0] | wrong])


@pytest.mark.parametrize(("hours", "rows"), [(1, 2), (24, 48), (0, 2), (10**6, 2160 * 2)])
def test_the_hours_have_bounds(books: Books, hours: int, rows: int) -> None:
    assert len(ask(books, "webhook_rates", p_hours=hours)) == rows


# Audits


def test_an_audit_is_kept_with_what_it_found_and_who_asked(books: Books) -> None:
    assert ask(books, "last_audit") is None
    run = ask(books, "run_audit")
    assert (run["violation_count"], run["violations"], run["actor_name"]) == (0, [], "The Admin")
    assert (last_line(books)["action"], last_line(books)["after"]) == ("run_audit", {"violations": 0})
    by_worker = books.call("run_audit")
    assert (by_worker["actor"], by_worker["actor_name"]) == (None, None)
    assert ask(books, "last_audit") == by_worker
    assert by_worker["ended_at"] >= by_worker["started_at"]


def test_an_audit_tells_each_violation(broken_books: Books) -> None:
    break_a_balance(broken_books)
    run = ask(broken_books, "run_audit")
    found = {(row["rule"], row["subject"]) for row in run["violations"]}
    assert ("balance_is_sum_of_entries", str(broken_books.admin)) in found
    assert run["violation_count"] == len(run["violations"]) == len(broken_books.audit())
    assert ask(broken_books, "admin_overview")["audit"]["violation_count"] == run["violation_count"]
    assert broken_books.call("metrics")["audit"]["violations"] == run["violation_count"]


def test_an_audit_that_finds_very_much_keeps_the_first_and_counts_all(broken_books: Books) -> None:
    broken_books.owner.execute(
        "with people as (insert into profiles (user_id, email)"
        " select gen_random_uuid(), '' from generate_series(1, 250) returning user_id)"
        " insert into credit_accounts (user_id, available) select user_id, 1 from people"
    )
    run = broken_books.call("run_audit")
    assert run["violation_count"] >= 250
    assert len(run["violations"]) == 200


def test_audits_are_for_admins(books: Books) -> None:
    user = books.person()
    books.call("run_audit")
    for who, rows in ((user, 0), (books.admin, 1)):
        with as_person(books.url, who) as connection:
            assert connection.execute("select * from audit_runs").rowcount == rows


# Health


def test_health_tells_workers_providers_files_and_sessions(books: Books) -> None:
    user = books.person()
    books.open_session(user)
    books.settle(books.submitted(user), completed(outputs=3))
    one, two, three = books.all("select id from job_outputs order by position")
    for output, size in ((one, 1000), (two, 24)):
        books.call(
            "record_mirrored",
            p_output=output["id"],
            p_storage_path=str(output["id"]),
            p_media_type="image/png",
            p_size_bytes=size,
        )
    books.call("record_mirror_failed", p_output=three["id"], p_error="HTTP 404", p_check_seconds=None)
    books.call("report_provider", p_provider="fal", p_ok=False, p_error="HTTP 503")
    books.call("claim_work", p_worker="alive", p_jobs=0, p_outputs=0, p_costs=0)
    books.owner.execute("insert into private.workers (worker, beat_at) values ('gone', now() - interval '2 minutes')")
    found = ask(books, "system_health")
    assert [(row["worker"], row["is_alive"]) for row in found["workers"]] == [("alive", True), ("gone", False)]
    fal, stripe = found["providers"]
    assert (fal["provider"], fal["last_error"], fal["unwell_since"] is not None) == ("fal", "HTTP 503", True)
    assert (stripe["provider"], stripe["last_error"]) == ("stripe", None)
    assert "account_id" not in fal
    assert found["storage"] == {"files": 2, "bytes": 1024, "waiting": 0, "given_up": 1, "last_error": "HTTP 404"}
    assert found["sessions"] == 2
    assert found["database"]["bytes"] > 0
    assert found["alerts"] == {"waiting": 0, "failed": 0, "last_sent_at": None, "last_error": None}


def test_files_in_storage_are_counted_as_they_come_and_go(books: Books) -> None:
    user, other = books.person(), books.person()
    for owner in (user, user, other):
        books.settle(books.submitted(owner), completed())
    outputs = books.all("select id, job_id from job_outputs order by created_at, id")

    def copied(output: Row, size: int) -> None:
        place = {"p_storage_path": str(output["id"]), "p_media_type": "image/png", "p_size_bytes": size}
        books.call("record_mirrored", p_output=output["id"], **place)

    for output in outputs:
        copied(output, 100)
    copied(outputs[0], 150)  # once more, after a lost answer: the same copy
    assert ask(books, "system_health")["storage"] | {"last_error": None} == {
        "files": 3,
        "bytes": 350,
        "waiting": 0,
        "given_up": 0,
        "last_error": None,
    }
    books.call("delete_media", p_user=books.admin, p_job=outputs[0]["job_id"])
    books.call("record_removed", p_output=outputs[0]["id"])
    found = ask(books, "system_health")["storage"]
    assert (found["files"], found["bytes"], found["given_up"]) == (2, 200, 0)
    assert books.all("select * from private.audit_storage()") == []


def test_the_last_trouble_with_the_database_is_kept_whoever_tells_it_first(books: Books) -> None:
    now = datetime.now(UTC)
    for error, minutes in (("claim_work: away", 5), ("open_jobs: older", 9), ("settle: deadlock", 1)):
        books.call("note_database_trouble", p_error=error, p_at=now - timedelta(minutes=minutes))
    found = ask(books, "system_health")["database"]
    assert found["last_error"] == "settle: deadlock"
    assert datetime.fromisoformat(found["last_error_at"]) == now - timedelta(minutes=1)


def test_alerts_that_do_not_arrive_are_told_with_the_reason(books: Books) -> None:
    for _ in range(3):
        books.sign_up()
    sent, waits, failed = books.call("raise_sign_up_alerts", p_deliver=True)
    books.call("claim_alerts", p_worker="one")
    books.call("record_alert_sent", p_alert=sent["id"], p_worker="one")
    books.call("record_alert_failed", p_alert=failed["id"], p_worker="one", p_error="HTTP 404.", p_retry_seconds=None)
    books.call("record_alert_failed", p_alert=waits["id"], p_worker="one", p_error="HTTP 500.", p_retry_seconds=60)
    found = ask(books, "system_health")["alerts"]
    assert (found["waiting"], found["failed"]) == (1, 1)
    assert books.call("metrics")["alerts_undelivered"] == 2
    assert found["last_error"] in ("HTTP 404.", "HTTP 500.")
    assert found["last_sent_at"]


def test_failures_are_told_by_reason(books: Books) -> None:
    user = books.person()
    for verdict in (failed(), failed(), failed("bad_key"), completed()):
        books.settle(books.submitted(user), verdict)
    reasons = ask(books, "failure_reasons")
    assert [(row["error_type"], row["count"]) for row in reasons] == [("content_policy_violation", 2), ("bad_key", 1)]
    assert reasons[0]["last_message"] == "fal.ai refused the prompt."


# Keeping the house


def test_what_nobody_needs_any_more_is_cleared_and_no_book_is_touched(books: Books) -> None:
    user = books.person()
    kept_cookie = books.open_session(user)
    books.open_session(user)
    books.owner.execute("update private.app_sessions set expires_at = now() where cookie_hash <> %s", (kept_cookie,))
    books.owner.execute(
        "insert into private.workers (worker, beat_at) values ('old', now() - interval '25 hours'), ('new', now())"
    )
    old = "now() - interval '91 days'"
    for count in (0, 0, 2):
        books.owner.execute(
            "insert into audit_runs (started_at, ended_at, violation_count, violations)"
            f" values ({old}, {old}, %s, %s::jsonb)".encode(),
            (count, "[" + ", ".join(["{}"] * count) + "]"),
        )
    books.call("run_audit")
    before = books.contents()
    assert books.call("keep_house") == {"workers": 1, "sessions": 2, "audits": 2}
    after = books.contents()
    assert [row["worker"] for row in after["workers"]] == ["new"]
    assert [row["violation_count"] for row in books.all("select violation_count from audit_runs order by id")] == [2, 0]
    for table in ("workers", "app_sessions", "audit_runs"):
        before.pop(table), after.pop(table)
    assert after == before


def test_the_latest_audit_stays_however_old_it_is(books: Books) -> None:
    books.call("run_audit")
    books.owner.execute(
        "update audit_runs set started_at = started_at - interval '1 year', ended_at = ended_at - interval '1 year'"
    )
    assert books.call("keep_house")["audits"] == 0
    assert ask(books, "last_audit")


def test_old_counts_are_kept_as_a_sum(books: Books) -> None:
    books.call("add_webhook_counts", p_counts=COUNTS)
    for days in (100, 95):
        books.owner.execute(
            "update private.webhook_counters set hour = now() - make_interval(days => %s) where isfinite(hour)", (days,)
        )
        books.call("keep_house")
        books.call("add_webhook_counts", p_counts=COUNTS)
    assert books.value("select sum(calls)::int from private.webhook_counters") == 3 * 9
    assert books.value("select count(*) from private.webhook_counters where not isfinite(hour)") == 4
    calls = {(row["provider"], row["outcome"]): row["calls"] for row in books.call("metrics")["webhook_calls"]}
    assert calls["fal", "accepted"] == 15, "a counter never falls"
    assert sum(row["received"] for row in ask(books, "webhook_rates")) == 9


# The overview


def test_the_overview_answers_in_one_call(books: Books) -> None:
    user = books.person()
    books.sign_up()
    ask(books, "set_team_balance", p_amount=10)
    running, slow, dead = (books.submitted(user) for _ in range(3))
    age(books, slow, submitted_at="10 minutes")
    dead_letter(books, dead)
    for verdict in (completed(), failed(), cancelled()):
        books.settle(books.submitted(user), verdict)
    assert books.job(running)["status"] == "submitted"
    found = ask(books, "admin_overview")
    expected = {
        "running": 3,
        "stuck": 1,
        "done_today": 1,
        "failed_today": 1,
        "failed_last_hour": 1,
        "people_waiting": 1,
    }
    assert expected.items() <= found.items()
    assert found["spent_month"] == found["spent_today"] == "0.003000"
    assert (found["budget"]["amount"], found["budget"]["remaining"]) == ("10.000000", "9.997000")
    assert (found["inbox"], found["audit"]) == ({"dead": 1}, None)


def test_the_overview_shows_the_teams_balance_also_to_an_admin_with_an_allowance(books: Books) -> None:
    ask(books, "set_team_balance", p_amount=10)
    ask(books, "set_own_balance", p_amount=3)
    assert ask(books, "admin_overview")["budget"]["amount"] == "10.000000"


# Figures for monitoring
