"""A small run of `make load`: webhooks while people click, and the question what was lost must be able to say yes."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from bench.load.run import Loaded, Wish, loaded

WISH = Wish(rate=40, seconds=3, people=3, clicking=9, pause=0.7, connections=16, drain=60, pause_factor=0.1)
Row = dict[str, object]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    with loaded(WISH, lambda _: None, tmp_path_factory.mktemp("load")) as found:
        yield found


def test_nothing_is_lost(run: Loaded) -> None:
    outcome = run.outcome
    assert outcome.violations == []
    assert outcome.errors == {}
    assert len(outcome.told.acknowledged) == WISH.rate * WISH.seconds
    assert outcome.left["files to copy"] == 0
    # It did happen: people pressed, jobs were made of it, and nobody believed the wicked calls.
    assert sum(outcome.ends.values()) == WISH.rate * WISH.seconds + outcome.sentences["On its way."]
    assert outcome.asked >= outcome.sentences["On its way."] > 0  # two presses within a second are one
    assert {"submit", "open Jobs"} <= outcome.took.keys()
    assert {status for (kind, status) in outcome.told.every if kind in ("forged", "stranger", "token")} == {401}


def lose_an_event(sql: "psycopg.Connection[Row]", job: str) -> None:
    sql.execute("delete from public.webhook_events where job_id = %s", (job,))


def lose_a_file(sql: "psycopg.Connection[Row]", job: str) -> None:
    sql.execute("delete from public.job_outputs where job_id = %s", (job,))


def charge_twice(sql: "psycopg.Connection[Row]", job: str) -> None:
    sql.execute("update public.generation_jobs set spent_usd = 2 * spent_usd where id = %s", (job,))


def end_twice(sql: "psycopg.Connection[Row]", job: str) -> None:
    sql.execute(
        "insert into public.generation_logs (user_id, job_id, generation_type, event, ended)"
        " select user_id, job_id, generation_type, event, ended from public.generation_logs"
        " where job_id = %s and ended = 1",
        (job,),
    )


@pytest.mark.parametrize(
    ("damage", "noticed"),
    [
        (lose_an_event, "every acknowledged call is stored"),
        (lose_a_file, "every paid-for output is there, copied or about to be"),
        (charge_twice, "what we count as spent is what fal.ai has charged"),
        (end_twice, "every job has ended, once, with one movement of its credits"),
    ],
)
def test_what_is_lost_would_be_noticed(
    run: Loaded, damage: "Callable[[psycopg.Connection[Row], str], None]", noticed: str
) -> None:
    with run.studio.sql() as sql:
        sql.execute("set session_replication_role = replica")  # behind the back of everything that watches
        damage(sql, run.verdicts[7].job)
    found = {check.name: check.violations for check in run.checks()}
    assert any(run.verdicts[7].job in violation for violation in found[noticed]), found
