"""Trying many failed jobs again: one new job each, whoever asks how often, and a clean stop where a rule says no."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from tests.database.books import SCHNELL, VEO, Books, code_of, completed, event, failed, refused


def broken(books: Books, user: UUID, **more: Any) -> UUID:
    """A job that has failed."""
    job = books.submitted(user, **more)
    books.settle(job, failed())
    return job


def item(job: UUID, **changes: Any) -> dict[str, Any]:
    """What the product asks for with one failed draft."""
    return {
        "job": str(job),
        "new_job": str(uuid5(job, "retry")),
        "input_params": {"prompt": "A hill"},
        "quantity": 1,
        "credits": 1,
        "units": "1",
        "unit_price_usd": "0.003",
        "longest_seconds": 600,
    } | changes


def retry(books: Books, user: UUID, *jobs: UUID) -> dict[str, Any]:
    done: dict[str, Any] = books.call("retry_jobs", p_user=user, p_items=[item(job) for job in jobs])
    return done


def tries(books: Books, *jobs: UUID) -> list[dict[str, Any]]:
    return books.all("select * from generation_jobs where retried_from = any(%s) order by created_at, id", list(jobs))


def test_each_failed_job_is_one_new_job_with_its_own_hold(books: Books) -> None:
    user = books.person(5)
    first, second = broken(books, user), broken(books, user, prompt="A lake", input_params={"prompt": "A lake"})
    lake = item(second, input_params={"prompt": "A lake"})
    done = books.call("retry_jobs", p_user=user, p_items=[item(first), lake])
    assert done == {"made": [item(first)["new_job"], lake["new_job"]], "skipped": [], "waiting": []}
    made = books.all("select * from generation_jobs where id = any(%s)", list(map(UUID, done["made"])))
    assert {row["retried_from"] for row in made} == {first, second}
    assert {row["prompt"] for row in made} == {"A hill", "A lake"}
    for row in made:
        assert (row["status"], row["is_automatic_retry"], row["retry_count"]) == ("pending", False, 1)
        assert row["next_check_at"] == row["created_at"], "the worker sends it at once"
    assert books.balance(user) == (3, 2)
    assert books.job(first)["retried_as"] == UUID(item(first)["new_job"])
    assert books.history(first)[-1] == "retried"


def test_asking_again_makes_nothing_more_and_says_the_same(books: Books) -> None:
    user = books.person(5)
    jobs = [broken(books, user) for _ in range(3)]
    first = retry(books, user, *jobs)
    assert retry(books, user, *jobs) == first
    assert len(tries(books, *jobs)) == 3


def test_asking_many_times_at_once_makes_one_each(books: Books) -> None:
    user = books.person(10)
    jobs = [broken(books, user) for _ in range(4)]
    forwards, backwards = [[item(job) for job in order] for order in (jobs, jobs[::-1])]
    results = books.race(*[("retry_jobs", {"p_user": user, "p_items": order}) for order in (forwards, backwards) * 3])
    assert all(sorted(result["made"]) == sorted(i["new_job"] for i in forwards) for result in results)
    assert len(tries(books, *jobs)) == 4
    assert books.balance(user) == (6, 4)


def test_one_at_a_time_and_all_at_once_meet(books: Books) -> None:
    """A person presses Try again on one of them while all are tried again: at most one more than they asked for."""
    user = books.person(10)
    jobs = [broken(books, user) for _ in range(2)]
    alone = {"p_job": uuid4(), "p_user": user, "p_generation_type": SCHNELL, "p_input_params": {"prompt": "A hill"}}
    alone |= {"p_prompt": "A hill", "p_quantity": 1, "p_expected_credits": None, "p_units": Decimal(1)}
    alone |= {"p_unit_price_usd": Decimal("0.003"), "p_longest_seconds": 600, "p_retried_from": jobs[0]}
    together = {"p_user": user, "p_items": [item(job) for job in jobs]}
    results = books.race(("create_job", alone), ("retry_jobs", together))
    assert not any(map(code_of, results))
    assert len(tries(books, jobs[1])) == 1
    assert len(tries(books, jobs[0])) == 1 + len(results[1]["made"]) - 1


def test_what_has_been_tried_again_or_did_not_fail_is_skipped(books: Books) -> None:
    user, stranger = books.person(9), books.person(9)
    again = broken(books, user)
    books.create(user, retried_from=again)
    done, running, theirs, late = (
        books.submitted(user),
        books.submitted(user),
        broken(books, stranger),
        broken(books, user),
    )
    books.settle(done, completed())
    books.settle(late, completed())
    skipped = [again, done, running, theirs, late, uuid4()]
    outcome = retry(books, user, *skipped)
    assert outcome == {"made": [], "skipped": [str(job) for job in skipped], "waiting": []}
    assert len(tries(books, *skipped)) == 1


def test_a_job_that_was_tried_again_by_itself_is_skipped_and_its_second_try_is_not(books: Books) -> None:
    user = books.person(9)
    job = books.submitted(user)
    books.settle(job, failed("runner_disconnected", retryable=True))
    (second,) = tries(books, job)
    books.begin(second["id"])
    books.accept(second["id"])
    books.settle(second["id"], failed("runner_disconnected", retryable=True))
    outcome = retry(books, user, job, second["id"])
    assert (outcome["skipped"], len(outcome["made"])) == ([str(job)], 1)


def test_it_stops_where_the_credits_end_and_says_what_is_left(books: Books) -> None:
    user = books.person(2)
    jobs = [broken(books, user) for _ in range(4)]
    outcome = retry(books, user, *jobs)
    assert outcome["made"] == [item(job)["new_job"] for job in jobs[:2]]
    assert [(left["job"], left["code"]) for left in outcome["waiting"]] == [
        (str(job), "INSUFFICIENT_CREDITS") for job in jobs[2:]
    ]
    assert {left["sentence"] for left in outcome["waiting"]} == {
        "This needs 1 credit and you have 0. Nothing was charged."
    }
    assert books.balance(user) == (0, 2)
    books.call("grant_credits", p_actor=books.admin, p_user=user, p_amount=1, p_reason="More", p_key="more")
    outcome = retry(books, user, *jobs[2:])
    assert [outcome["made"], len(outcome["waiting"])] == [[item(jobs[2])["new_job"]], 1]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("update profiles set monthly_cap_usd = 0.004 where not role = 'admin'", "MONTHLY_CAP"),
        ("update private.team_settings set max_open_jobs = 1", "TOO_MANY_OPEN_JOBS"),
    ],
)
def test_it_stops_at_a_limit(books: Books, rule: str, code: str) -> None:
    user = books.person(9)
    jobs = [broken(books, user) for _ in range(3)]
    books.owner.execute(rule.encode())
    outcome = retry(books, user, *jobs)
    assert len(outcome["made"]) == 1
    assert {left["code"] for left in outcome["waiting"]} == {code}
    assert len(outcome["waiting"]) == 2


def test_it_stops_while_the_account_is_locked(books: Books) -> None:
    user = books.person(9)
    jobs = [broken(books, user) for _ in range(2)]
    books.call("report_provider", p_provider="fal", p_ok=False, p_locked_reason="Exhausted balance.")
    outcome = retry(books, user, *jobs)
    assert (outcome["made"], [left["code"] for left in outcome["waiting"]]) == ([], ["ACCOUNT_LOCKED"] * 2)
    assert books.balance(user) == (9, 0)


def test_a_price_that_has_changed_or_a_model_that_is_off_is_about_that_job_only(books: Books) -> None:
    user = books.person(50)
    dearer, off, fine = broken(books, user), broken(books, user, generation_type=VEO), broken(books, user)
    books.owner.execute("update generation_types set enabled = false where generation_type = %s", (VEO,))
    items = [item(dearer, credits=3), item(off, credits=2), item(fine)]
    outcome = books.call("retry_jobs", p_user=user, p_items=items)
    assert [left["code"] for left in outcome["waiting"]] == ["PRICE_CHANGED", "TYPE_DISABLED"]
    assert outcome["made"] == [item(fine)["new_job"]]
    assert books.balance(user) == (49, 1)


def test_so_many_at_once_are_too_many(books: Books) -> None:
    user = books.person(1)
    items = [item(uuid4()) for _ in range(201)]
    with books.unchanged(), refused(422, "INVALID_INPUT"):
        books.call("retry_jobs", p_user=user, p_items=items)


def test_trying_again_while_late_successes_arrive_never_deadlocks(books: Books) -> None:
    user = books.person(50)
    jobs = [broken(books, user) for _ in range(6)]
    results = books.race(
        *[("retry_jobs", {"p_user": user, "p_items": [item(job) for job in order]}) for order in (jobs, jobs[::-1])],
        *[("receive_fal_events", {"p_events": [event(job) for job in order]}) for order in (jobs, jobs[::-1])],
        *[("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}) for job in jobs],
    )
    assert not any(map(code_of, results))
    assert all(books.job(job)["is_late"] for job in jobs)
    assert len(tries(books, *jobs)) <= len(jobs)
