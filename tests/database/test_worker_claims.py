"""The worker: what is due is taken by one worker under a lease; files are copied, and deleted for good."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import CheckViolation, UniqueViolation

from tests.database.books import Books, completed, failed, refused

NOTHING: dict[str, list[Any]] = {"jobs": [], "outputs": [], "costs": []}


def claim(books: Books, worker: str = "one", **more: int) -> Any:
    found = books.call("claim_work", **claiming(worker, **more))
    return {kind: found[kind] for kind in NOTHING}


def waiting(books: Books) -> Any:
    """What the loop that looks at jobs hears about the work of the other two."""
    return books.call("claim_work", **claiming("looking", outputs=0))["waiting"]


def claiming(worker: str, jobs: int = 50, outputs: int = 50, costs: int = 50, lease: int = 60) -> dict[str, Any]:
    return {"p_worker": worker, "p_jobs": jobs, "p_outputs": outputs, "p_costs": costs, "p_lease_seconds": lease}


def due(books: Books, user: UUID, count: int = 1) -> list[UUID]:
    """Submitted jobs that are to be looked at now."""
    jobs = [books.submitted(user) for _ in range(count)]
    books.owner.execute("update generation_jobs set next_check_at = now() where id = any(%s)", (jobs,))
    return jobs


def ids(rows: list[dict[str, Any]]) -> list[UUID]:
    return [UUID(row["id"]) for row in rows]


def output_of(books: Books, job: UUID) -> dict[str, Any]:
    return books.one("select * from job_outputs where job_id = %s", job)


# Claiming


def test_what_is_due_is_claimed_under_a_lease(books: Books) -> None:
    (job,) = due(books, books.person())
    claimed = claim(books)
    assert ids(claimed["jobs"]) == [job]
    assert books.job(job)["lease_owner"] == "one"
    assert books.value("select lease_until - now() between interval '50 s' and interval '60 s' from generation_jobs")
    assert claim(books, "two") == NOTHING


def test_who_looks_at_jobs_hears_that_files_are_due(books: Books) -> None:
    assert waiting(books) == {"outputs": False, "runs": False}
    job = books.submitted(books.person())
    books.settle(job, completed())
    assert waiting(books) == {"outputs": True, "runs": False}
    assert claim(books, "copying")["outputs"]
    assert not waiting(books)["outputs"]  # they are taken
    books.owner.execute("update job_outputs set lease_until = now() - interval '1 ms'")
    assert waiting(books)["outputs"]


def test_a_lease_that_ran_out_is_free(books: Books) -> None:
    jobs = due(books, books.person())
    claim(books)
    books.owner.execute("update generation_jobs set lease_until = now() - interval '1 ms'")
    assert ids(claim(books, "two")["jobs"]) == jobs


def test_what_is_not_due_or_has_ended_is_left(books: Books) -> None:
    user = books.person()
    books.submitted(user)
    (ended,) = due(books, user)
    books.settle(ended, failed())
    assert claim(books) == NOTHING


def test_the_longest_due_come_first_and_no_more_than_asked_for(books: Books) -> None:
    jobs = due(books, books.person(), 4)
    for number, job in enumerate(jobs):
        books.owner.execute(
            "update generation_jobs set next_check_at = now() - %s where id = %s", (timedelta(seconds=number), job)
        )
    assert set(ids(claim(books, jobs=2)["jobs"])) == {jobs[3], jobs[2]}
    assert set(ids(claim(books, jobs=2)["jobs"])) == {jobs[1], jobs[0]}


def test_a_job_that_somebody_works_on_is_skipped_not_waited_for(books: Books) -> None:
    first, second = due(books, books.person(), 2)
    with books.holding("select from generation_jobs where id = %s for update", first):
        assert ids(claim(books)["jobs"]) == [second]


def test_two_workers_never_claim_the_same(books: Books) -> None:
    user = books.person()
    jobs = due(books, user, 12)
    done = due(books, user, 12)
    for job in done:
        books.settle(job, completed())
    for _ in range(3):
        books.owner.execute("update generation_jobs set lease_until = null")
        books.owner.execute("update generation_jobs set cost_due_at = now() where cost_due_at is not null")
        books.owner.execute("update job_outputs set lease_until = null")
        claims = books.race(
            *[("claim_work", claiming(f"worker {number}", jobs=5, outputs=5, costs=5)) for number in range(6)]
        )
        for what, expected in (("jobs", jobs), ("costs", done)):
            claimed = [job for each in claims for job in ids(each[what])]
            assert sorted(claimed) == sorted(expected), what
        outputs = [row["id"] for each in claims for row in each["outputs"]]
        assert len(outputs) == len(set(outputs)) == 12


def test_a_worker_beats(books: Books) -> None:
    claim(books, "one"), claim(books, "one"), claim(books, "two")
    rows = books.all("select worker, beat_at >= started_at as beats from private.workers order by worker")
    assert rows == [{"worker": "one", "beats": True}, {"worker": "two", "beats": True}]


def test_claimed_money_is_text(books: Books) -> None:
    due(books, books.person())
    assert claim(books)["jobs"][0]["estimated_usd"] == "0.003000"


def test_a_cost_is_claimed_once_a_lease(books: Books) -> None:
    job = books.submitted(books.person())
    books.settle(job, completed())
    assert ids(claim(books)["costs"]) == [job]
    assert claim(books, "two")["costs"] == []
    books.owner.execute("update generation_jobs set cost_due_at = now()")
    assert ids(claim(books, "two")["costs"]) == [job]
    books.cost(job, "0.003")
    assert claim(books)["costs"] == []


# Files


def mirrored(books: Books, output: UUID, path: str = "person/job/0.png") -> None:
    books.call(
        "record_mirrored",
        p_output=output,
        p_storage_path=path,
        p_media_type="image/png",
        p_size_bytes=10,
        p_width=640,
        p_height=None,
    )


def test_a_file_is_copied_once(books: Books) -> None:
    job = books.submitted(books.person())
    books.settle(job, completed())
    (claimed,) = claim(books)["outputs"]
    assert claimed["source_url"] == "https://v3.fal.media/files/0.png"
    mirrored(books, claimed["id"])
    row = output_of(books, job)
    assert (row["storage_path"], row["size_bytes"], row["width"], row["height"]) == ("person/job/0.png", 10, 640, 768)
    assert (row["mirror_due_at"], row["mirror_error"], row["lease_owner"]) == (None, None, None)
    assert row["mirrored_at"] is not None
    assert claim(books)["outputs"] == []


def test_a_file_that_could_not_be_copied_is_tried_later_or_never(books: Books) -> None:
    job = books.submitted(books.person())
    books.settle(job, completed())
    output = output_of(books, job)["id"]
    claim(books)
    books.call("record_mirror_failed", p_output=output, p_error="No answer.", p_check_seconds=30)
    row = output_of(books, job)
    assert (row["mirror_tries"], row["mirror_error"], row["lease_until"]) == (1, "No answer.", None)
    assert claim(books)["outputs"] == []
    books.owner.execute("update job_outputs set mirror_due_at = now()")
    assert len(claim(books)["outputs"]) == 1
    books.call("record_mirror_failed", p_output=output, p_error="Too large.", p_check_seconds=None)
    assert (output_of(books, job)["mirror_due_at"], claim(books)["outputs"]) == (None, [])


def test_two_outputs_never_share_a_file(books: Books) -> None:
    job = books.submitted(books.person())
    books.settle(job, completed(outputs=2))
    first, second = (row["id"] for row in books.all("select id from job_outputs"))
    mirrored(books, first)
    with pytest.raises(UniqueViolation):
        mirrored(books, second)


def test_a_copy_without_a_place_is_impossible(books: Books) -> None:
    job = books.submitted(books.person())
    books.settle(job, completed())
    with pytest.raises(CheckViolation):
        books.owner.execute("update job_outputs set mirrored_at = now()")


# Deleting files: the books stay


def delete(books: Books, user: Any, job: UUID) -> Any:
    return books.call("delete_media", p_user=user, p_job=job)


def test_deleted_files_are_taken_out_of_storage(books: Books) -> None:
    user = books.person()
    job = books.submitted(user)
    books.settle(job, completed())
    mirrored(books, output_of(books, job)["id"])
    assert delete(books, user, job) == 1
    row = output_of(books, job)
    assert (row["source_url"], row["storage_path"]) == (None, "person/job/0.png")
    (claimed,) = claim(books)["outputs"]
    assert claimed["deleted_at"] is not None
    books.call("record_removed", p_output=claimed["id"])
    row = output_of(books, job)
    assert (row["storage_path"], row["mirrored_at"], row["mirror_due_at"]) == (None, None, None)
    assert books.job(job)["result_data"] == {"deleted": True}
    assert books.history(job)[-1] == "media_deleted"
    assert (books.moves(job), books.job(job)["status"]) == (["hold", "capture"], "completed")


def test_deleting_again_changes_nothing(books: Books) -> None:
    user = books.person()
    job = books.submitted(user)
    books.settle(job, completed())
    delete(books, user, job)
    with books.unchanged():
        assert delete(books, user, job) == 0


def test_a_file_that_was_being_copied_when_it_was_deleted_is_removed_as_well(books: Books) -> None:
    user = books.person()
    job = books.submitted(user)
    books.settle(job, completed())
    (claimed,) = claim(books)["outputs"]
    delete(books, user, job)
    mirrored(books, claimed["id"])
    (again,) = claim(books)["outputs"]
    assert (again["deleted_at"] is not None, again["storage_path"]) == (True, "person/job/0.png")


def test_a_file_copied_after_its_removal_is_removed_again(books: Books) -> None:
    user = books.person()
    job = books.submitted(user)
    books.settle(job, completed())
    (claimed,) = claim(books)["outputs"]
    delete(books, user, job)
    claim(books, "two")
    books.call("record_removed", p_output=claimed["id"])
    mirrored(books, claimed["id"])
    (again,) = claim(books, "two")["outputs"]
    assert again["storage_path"] == "person/job/0.png"


def test_only_the_person_and_admins_delete(books: Books) -> None:
    user = books.person()
    job = books.submitted(user)
    books.settle(job, completed())
    for stranger in (books.person(), books.sign_up(), uuid4(), None):
        with books.unchanged(), refused(404, "NOT_FOUND"):
            delete(books, stranger, job)
    with refused(404, "NOT_FOUND"):
        delete(books, user, uuid4())
    assert delete(books, books.admin, job) == 1
    line = books.one("select actor, target from admin_actions where action = 'delete_media'")
    assert line == {"actor": books.admin, "target": str(job)}


def test_the_files_of_a_running_job_are_not_deleted(books: Books) -> None:
    user = books.person()
    job = books.submitted(user)
    with books.unchanged(), refused(409, "STILL_RUNNING"):
        delete(books, user, job)


# How fal.ai is doing


def provider(books: Books) -> dict[str, Any]:
    return books.one("select * from private.provider_state where provider = 'fal'")


def report(books: Books, ok: bool, **more: Any) -> dict[str, Any]:
    books.call("report_provider", p_provider="fal", p_ok=ok, **more)
    return provider(books)


def test_an_outage_begins_once_and_ends_with_the_first_good_answer(books: Books) -> None:
    first = report(books, False, p_error="No answer.")
    second = report(books, False, p_error="502")
    assert first["unwell_since"] == second["unwell_since"] is not None
    assert (second["last_error"], second["locked_at"]) == ("502", None)
    well = report(books, True)
    assert (well["unwell_since"], well["last_error"]) == (None, "502")
    assert well["last_ok_at"] is not None


def test_a_lock_is_tried_at_growing_distances(books: Books) -> None:
    pauses = []
    for _ in range(6):
        row = report(books, False, p_locked_reason="Exhausted balance.")
        pauses.append((row["probe_at"] - row["last_error_at"]).total_seconds() / 60)
    assert pauses == [1, 2, 4, 8, 15, 15]
    assert row["locked_at"] < row["last_error_at"]
    open_ = report(books, True)
    assert (open_["locked_at"], open_["locked_reason"], open_["probe_at"], open_["probe_count"]) == (
        None,
        None,
        None,
        0,
    )


def test_providers_are_told_apart(books: Books) -> None:
    report(books, False, p_error="No answer.")
    assert books.value("select unwell_since from private.provider_state where provider = 'stripe'") is None
