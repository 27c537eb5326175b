"""The parts of the stack: how each is started, how it shows that it is well, and what it needs first."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local import migrations, supabase
from local.environment import Stack
from local.health import answers
from local.paths import ROOT
from local.ports import HOST
from local.postgres import Postgres
from local.processes import Child
from local.secrets import Secrets

Report = Callable[[str], None]


@dataclass(frozen=True)
class Part:
    """`launch` starts without waiting; `healthy` is asked until it says yes. Both raise `LocalError` for what trying
    again cannot mend. `needs` names the parts that must be well before the first launch."""

    name: str
    title: str
    launch: Callable[[], Child]
    healthy: Callable[[], bool]
    needs: tuple[str, ...] = ()


def database(stack: Stack, secrets: Secrets, state: Path) -> Postgres:
    return Postgres(
        data=state / "postgres",
        port=stack.ports["LOCAL_POSTGRES_PORT"],
        password=secrets.postgres_password,
        log=log_file(state, "postgres"),
    )


def log_file(state: Path, name: str) -> Path:
    return state / "logs" / f"{name}.log"


def plan(stack: Stack, secrets: Secrets, state: Path, report: Report) -> tuple[Part, ...]:
    """Every part of this stack, in the order in which they are started; stopping goes the other way."""

    def python(name: str, title: str, arguments: list[str], health: str, needs: tuple[str, ...] = ()) -> Part:
        def launch() -> Child:
            child = Child(
                name=title,
                command=[sys.executable, "-m", *arguments],
                log=log_file(state, name),
                environment={**stack.environment, "PYTHONUNBUFFERED": "1"},
                directory=ROOT,
            )
            child.start()
            return child

        return Part(name, title, launch, lambda: answers(health), needs)

    parts = []
    if "LOCAL_POSTGRES_PORT" in stack.ports:
        parts += _supabase(stack, secrets, state, report)
    if "LOCAL_FAL_PORT" in stack.ports:
        parts.append(
            python("fal", "Simulated fal.ai", fal_arguments(stack, state), f"{stack.url('LOCAL_FAL_PORT')}/v1/meta")
        )
    if "LOCAL_STRIPE_PORT" in stack.ports:
        health = f"{stack.url('LOCAL_STRIPE_PORT')}/_sim/"
        parts.append(python("stripe", "Simulated Stripe", stripe_arguments(stack, state), health))
    needs = ("supabase",) if "LOCAL_SUPABASE_PORT" in stack.ports else ()
    companion = ["uvicorn", "core.companion:create_app", "--factory", "--host", HOST]
    companion += ["--port", str(stack.ports["COMPANION_PORT"]), "--timeout-graceful-shutdown", "5", "--no-access-log"]
    parts.append(python("companion", "Companion", companion, f"{stack.url('COMPANION_PORT')}/health", needs))
    pages = ["streamlit", "run", "streamlit_app.py", "--server.port", str(stack.ports["APP_PORT"])]
    pages += ["--server.address", HOST, "--server.headless", "true"]
    parts.append(python("app", "Pages", pages, f"{stack.url('APP_PORT')}/_stcore/health"))
    return tuple(parts)


def fal_arguments(stack: Stack, state: Path) -> list[str]:
    """The simulated fal.ai, as it follows `python -m`."""
    keys = ["--key", stack.environment["FAL_KEY"], "--admin-key", stack.environment["FAL_ADMIN_KEY"]]
    return ["local.fal", "--port", str(stack.ports["LOCAL_FAL_PORT"]), "--data", str(state / "fal"), *keys]


def stripe_arguments(stack: Stack, state: Path) -> list[str]:
    """The simulated Stripe, as it follows `python -m`; its events go to the companion."""
    environment = stack.environment
    keys = ["--secret-key", environment["STRIPE_SECRET_KEY"], "--webhook-secret", environment["STRIPE_WEBHOOK_SECRET"]]
    place = ["--port", str(stack.ports["LOCAL_STRIPE_PORT"]), "--data", str(state / "stripe")]
    return ["local.stripe", *place, *keys, "--webhook-url", f"{stack.url('COMPANION_PORT')}/webhooks/stripe"]


def _supabase(stack: Stack, secrets: Secrets, state: Path, report: Report) -> list[Part]:
    postgres = database(stack, secrets, state)
    lite = supabase.Lite(
        directory=state / "supabase",
        port=stack.ports["LOCAL_SUPABASE_PORT"],
        database_url=postgres.url(),
        keys=supabase.Keys(secrets.publishable_key, secrets.secret_key, secrets.jwt_secret),
        log=log_file(state, "supabase"),
        site_url=stack.url("APP_PORT"),
    )

    def migrate_and_launch() -> Child:
        supabase.prepare(postgres.url())
        outcome = migrations.apply(postgres.url())
        if outcome.applied:
            report(f"Migrations applied: {len(outcome.applied)}, up to {outcome.applied[-1]}")
        if outcome.changed:
            names = ", ".join(outcome.changed)
            report(f"Changed since they were applied here: {names} (`make db-reset` applies them anew)")
        return lite.launch()

    return [
        Part("postgres", "PostgreSQL", postgres.launch, postgres.healthy),
        Part("supabase", "Supabase Lite", migrate_and_launch, lite.healthy, needs=("postgres",)),
    ]
