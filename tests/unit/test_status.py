"""`make status` in words: the same as `make run` says, and nothing is unwell that only stands still."""

from dataclasses import replace

from local.status import Status, as_text

STATUS = Status(
    app="http://127.0.0.1:8501",
    companion="http://127.0.0.1:8600",
    supabase_url="http://127.0.0.1:8610",
    publishable_key="sb_publishable_x",
    database_url="",
    people=[{"email": "jonas@atelier.example", "password": "x", "role": "user"}],
    simulated=["fal.ai"],
    running=True,
    ready=True,
    healthy={"postgres": True, "companion": False},
)


def test_what_runs_is_well_or_not() -> None:
    assert as_text(STATUS).splitlines() == [
        "Atelier runs: http://127.0.0.1:8501",
        "  postgres   well",
        "  companion  not well",
        "  marketer   jonas@atelier.example  x",
        "  simulated  fal.ai",
    ]


def test_what_stands_still_is_stopped() -> None:
    said = as_text(replace(STATUS, running=False, ready=False, healthy={"postgres": False}))
    assert said.splitlines()[:2] == ["Atelier does not run: http://127.0.0.1:8501", "  postgres   stopped"]
