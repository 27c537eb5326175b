"""The inbox for admins: found again, looked into, and replayed: counted, in the trail, its effect once."""

from typing import Any

import pytest

from tests.database.admin import (
    BROKEN,
    call_about,
    dead_letter,
    last_line,
    profile,
    replay,
    replay_arguments,
    second_admin,
    stored,
    trail,
)
from tests.database.books import ACCOUNT, Books, Row, code_of, completed, failed, refused


def listed(books: Books, **more: Any) -> list[Row]:
    rows: list[Row] = books.call("inbox_events", p_actor=books.admin, **more)
    return rows


# Finding


def test_events_are_found_by_status_provider_and_text(books: Books) -> None:
    job, other = books.submitted(books.person()), books.submitted(books.person(), prompt="A blue fjord")
    dead = dead_letter(books, job)
    books.deliver(call_about(other))
    assert [row["status"] for row in listed(books)] == ["processed", "dead"]
    assert [row["id"] for row in listed(books, p_status="dead")] == [dead]
    assert listed(books, p_provider="stripe") == []
    assert [row["job_id"] for row in listed(books, p_search="BLUE fjord")] == [str(other)]
    assert [row["job_id"] for row in listed(books, p_search="nonsense")] == [str(job)]
    assert [row["job_id"] for row in listed(books, p_search=str(job))] == [str(job)]
    assert listed(books, p_search="%") == []
    books.owner.execute("update webhook_events set received_at = now() - interval '31 days' where job_id = %s", (job,))
    assert listed(books, p_search=str(job)) == [], "no index finds a text, so it is looked for in 30 days"
    assert [row["job_id"] for row in listed(books, p_search=str(job), p_search_days=32)] == [str(job)]
    assert len(listed(books)) == 2
    assert "payload" not in listed(books)[0]


def test_pages_follow_each_other(books: Books) -> None:
    user = books.person()
    books.deliver(*[call_about(books.submitted(user)) for _ in range(7)])
    seen: list[int] = []
    while page := listed(books, p_limit=3, p_before=seen[-1] if seen else None):
        seen += [row["id"] for row in page]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 7


def test_an_event_is_shown_with_what_was_sent(books: Books) -> None:
    job = books.submitted(books.person())
    call = call_about(job)
    books.deliver(call)
    row = books.call("inbox_event", p_actor=books.admin, p_event=listed(books)[0]["id"])
    assert (row["payload"], row["headers"], row["job_status"]) == (call["payload"], call["headers"], "completed")
    with refused(404, "NOT_FOUND"):
        books.call("inbox_event", p_actor=books.admin, p_event=0)


def test_dead_letters_are_told_oldest_first(books: Books) -> None:
    user = books.person()
    dead = [dead_letter(books, books.submitted(user)) for _ in range(3)]
    books.deliver(call_about(books.submitted(user)))
    assert books.call("dead_letters", p_actor=books.admin) == dead
    assert books.call("dead_letters", p_actor=books.admin, p_limit=2) == dead[:2]


# Replaying


def test_a_dead_letter_has_its_effect_after_all(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    event_id = dead_letter(books, job)
    done = replay(books, event_id)
    assert done == {"status": "processed", "result": "settled", "error": None, "attempts": 3, "job": str(job)}
    row = stored(books, event_id)
    assert (row["status"], row["result"], row["error"], row["attempts"]) == ("processed", "settled", None, 3)
    assert row["processed_at"]
    job_row = books.job(job)
    assert (job_row["status"], job_row["verdict_source"], books.balance(user)) == ("completed", "admin", (0, 0))
    line = last_line(books)
    assert (line["action"], line["target"], line["actor"]) == ("replay_event", str(event_id), books.admin)
    assert (line["before"]["status"], line["before"]["attempts"]) == ("dead", 2)
    assert (line["after"]["status"], line["after"]["result"], line["after"]["job"]) == (
        "processed",
        "settled",
        str(job),
    )
    with books.unchanged(), refused(409, "ALREADY_PROCESSED"):
        replay(books, event_id)


def test_a_replay_that_fails_again_is_counted_and_changes_nothing_else(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    event_id = dead_letter(books, job)
    before = books.contents()
    done = replay(books, event_id, BROKEN)
    assert (done["status"], done["result"], done["attempts"]) == ("dead", None, 3)
    assert "nonsense" in done["error"]
    assert stored(books, event_id)["error"] == done["error"]
    assert last_line(books)["after"]["error"] == done["error"]
    after = books.contents()
    for table in ("webhook_events", "admin_actions"):
        before.pop(table), after.pop(table)
    assert after == before
    assert replay(books, event_id)["result"] == "settled"


def test_a_replay_finds_the_job_of_an_unclear_submit(books: Books) -> None:
    user = books.person(1)
    job = books.unclear(user)
    assert replay(books, dead_letter(books, job))["result"] == "settled"
    row = books.job(job)
    assert (row["status"], row["fal_request_id"]) == ("completed", f"request-{job}")
    assert row["status_url"].endswith("/status")


def test_a_call_from_before_its_job_was_known_is_matched_by_its_request(books: Books) -> None:
    user = books.person(1)
    job = books.create(user)
    books.begin(job)
    # The call names a job that nobody has here, and the request of one that is known later.
    call = call_about(job) | {"job": "00000000-0000-4000-8000-000000000000"}
    assert books.deliver(call) == "unknown_job"
    event_id = books.value("select id from webhook_events")
    assert replay(books, event_id)["result"] == "unknown_job"
    assert stored(books, event_id)["status"] == "ignored"
    books.accept(job)
    assert replay(books, event_id)["result"] == "settled"
    assert stored(books, event_id)["job_id"] == job


def test_a_replay_about_an_ended_job_changes_nothing_about_it(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    event_id = dead_letter(books, job)
    books.settle(job, failed())
    assert replay(books, event_id, failed())["result"] == "already_settled"
    assert (books.balance(user), books.moves(job)) == ((1, 0), ["hold", "release"])


def test_a_late_success_is_delivered_by_its_replay(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    event_id = dead_letter(books, job)
    books.give_up(job)
    assert replay(books, event_id)["result"] == "delivered_late"
    assert (books.job(job)["is_late"], books.balance(user)) == (True, (1, 0))


def test_what_is_not_about_our_job_is_refused_in_a_replay_too(books: Books) -> None:
    job = books.submitted(books.person())
    event_id = dead_letter(books, job)
    books.owner.execute('update webhook_events set headers = headers || \'{"user_id": "somebody else"}\'')
    books.owner.execute("update private.provider_state set account_id = %s where provider = 'fal'", (ACCOUNT,))
    done = replay(books, event_id)
    assert (done["status"], done["error"]) == ("dead", "This call came from another account of fal.ai.")
    assert books.job(job)["status"] == "submitted"


def test_two_admins_replay_the_same_letter_at_once(books: Books) -> None:
    user, other = books.person(1), second_admin(books)
    event_id = dead_letter(books, books.submitted(user))
    arguments = replay_arguments(books, event_id)
    results = books.race(*[("replay_fal_event", arguments | {"p_actor": actor}) for actor in (books.admin, other)])
    assert sorted(code_of(result) or "" for result in results) == ["", "ALREADY_PROCESSED"]
    assert (books.balance(user), len(trail(books, "replay_event"))) == ((0, 0), 1)


def test_replays_and_calls_at_once_settle_once_and_never_deadlock(books: Books) -> None:
    users = [books.person(2) for _ in range(3)]
    jobs = [books.submitted(user) for user in users for _ in range(2)]
    letters = [dead_letter(books, job) for job in jobs]
    calls: list[tuple[str, Row]] = [("replay_fal_event", replay_arguments(books, letter)) for letter in letters]
    batch = [call_about(job, completed(), event_key=f"other:{job}") for job in jobs]
    calls += [("receive_fal_events", {"p_events": order}) for order in (batch, batch[::-1])]
    books.race(*calls)
    assert [books.job(job)["status"] for job in jobs] == ["completed"] * 6
    assert [books.balance(user) for user in users] == [(0, 0)] * 3


@pytest.mark.parametrize("event_id", [0, -1])
def test_there_is_no_such_letter(books: Books, event_id: int) -> None:
    assert profile(books, books.admin)
    with books.unchanged(), refused(404, "NOT_FOUND"):
        replay(books, event_id)
