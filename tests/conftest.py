"""What every test may ask for: PostgreSQL, a fresh database, Supabase in front of one, a simulated fal.ai.

Everything starts when the first test asks for it, on free ports, with its data in a temporary folder, and stops at the
end of the run. Supabase and fal.ai are one server each for the whole run: tests make people and rows of their own.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from core.settings import ENVIRONMENT_NAMES
from local import chromium as browsers
from local import migrations, supabase
from local.environment import PORT_SETTINGS, Stack, compose
from local.health import answers
from local.parts import fal_arguments, stripe_arguments
from local.ports import free_port
from local.postgres import Postgres
from local.processes import Child, close_guardian
from local.secrets import Secrets

# Every test of the database has one of its own, which is 400 new files: in memory that takes a tenth of the time.
MEMORY = Path("/dev/shm")
NEEDED_BYTES = 4 * 1024**3
TEMPLATE = "atelier_template"
START_SECONDS = 60.0
TESTS = Path(__file__).parent


def _work_in_memory() -> None:
    """What this run and its servers keep in temporary folders is kept in memory, where there is enough of it."""
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > NEEDED_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


_work_in_memory()

# (name, what follows `python -m`, environment, the address that answers when it is well) -> the running child
Serve = Callable[[str, Sequence[str], Mapping[str, str], str], Child]


# the quick ones first; the browser last, since Playwright keeps an event loop running that others would trip over
ORDER = ("unit", "database", "integration", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ORDER.index(item.path.relative_to(TESTS).parts[0]))


@dataclass(frozen=True)
class SupabaseStack:
    """A running Supabase. `log` holds, among other things, the mails it would have sent."""

    url: str
    publishable_key: str
    secret_key: str
    jwt_secret: str
    database_url: str
    log: Path


@dataclass(frozen=True)
class FalSimulator:
    """A running simulated fal.ai: `url` is its queue, its storage and its control, `url`/v1 its platform API."""

    url: str
    key: str
    admin_key: str
    log: Path


@dataclass(frozen=True)
class StripeSimulator:
    """A running simulated Stripe: `url` is its API, `url`/_sim/ its control."""

    url: str
    secret_key: str
    webhook_secret: str
    log: Path


@pytest.fixture(scope="session")
def stack_directory() -> Iterator[Path]:
    """A folder for servers. Not pytest's own: that one is closed to the account that runs PostgreSQL for root."""
    directory = Path(tempfile.mkdtemp(prefix="atelier-tests-"))
    yield directory
    close_guardian()
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture(scope="session")
def postgres(stack_directory: Path, secrets: Secrets) -> Iterator[Postgres]:
    """A real PostgreSQL whose database `atelier_template` is what a Supabase project is after all our migrations."""
    server = Postgres(
        data=stack_directory / "postgres",
        port=free_port(),
        password=secrets.postgres_password,
        log=stack_directory / "postgres.log",
        durable=False,
    )
    try:
        server.start()
        url = server.create_database(TEMPLATE)
        supabase.prepare(url)
        migrations.apply(url)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def new_database(postgres: Postgres) -> Callable[[], str]:
    """Call it for the URL (superuser) of one more database with all migrations applied; takes about 30 ms."""
    numbers = count(1)
    return lambda: postgres.create_database(f"test_{next(numbers)}", template=TEMPLATE)


@pytest.fixture
def database_url(postgres: Postgres, new_database: Callable[[], str]) -> Iterator[str]:
    """A database of this test alone, with all migrations applied: the superuser's connection string."""
    url = new_database()
    yield url
    postgres.drop_database(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def shared_database_url(postgres: Postgres, new_database: Callable[[], str]) -> Iterator[str]:
    """A database that the tests of one file share."""
    url = new_database()
    yield url
    postgres.drop_database(url.rpartition("/")[2])


@pytest.fixture(scope="session")
def supabase_stack(
    stack: Stack, stack_directory: Path, secrets: Secrets, new_database: Callable[[], str]
) -> Iterator[SupabaseStack]:
    """Supabase in front of a database of its own, one for the whole run."""
    server = supabase.Lite(
        directory=stack_directory / "supabase",
        port=stack.ports["LOCAL_SUPABASE_PORT"],
        database_url=new_database(),
        keys=supabase.Keys(secrets.publishable_key, secrets.secret_key, secrets.jwt_secret),
        log=stack_directory / "supabase.log",
        site_url=stack.url("APP_PORT"),
    )
    try:
        server.start()
        yield SupabaseStack(
            url=server.url,
            publishable_key=secrets.publishable_key,
            secret_key=secrets.secret_key,
            jwt_secret=secrets.jwt_secret,
            database_url=server.database_url,
            log=server.log,
        )
    finally:
        server.stop()


@pytest.fixture(scope="session")
def serve(stack_directory: Path) -> Iterator[Serve]:
    """Starts a Python server from the sources, waits until it is well, and stops it at the end of the run."""
    children: list[Child] = []

    def start(name: str, arguments: Sequence[str], environment: Mapping[str, str], health_url: str) -> Child:
        child = Child(
            name=name,
            command=[sys.executable, "-m", *arguments],
            log=stack_directory / f"{name}-{len(children)}.log",
            environment={**environment, "PYTHONUNBUFFERED": "1"},
        )
        children.append(child)
        child.start()
        child.wait_until(lambda: answers(health_url), START_SECONDS)
        return child

    yield start
    for child in reversed(children):
        child.stop()


@pytest.fixture(scope="session")
def stack(secrets: Secrets) -> Stack:
    """The settings of a whole stack on free ports; nothing of the machine's `.env` gets in."""
    machine = {name: value for name, value in os.environ.items() if name not in {*ENVIRONMENT_NAMES, *PORT_SETTINGS}}
    composed = compose(machine | {name: str(free_port()) for name in PORT_SETTINGS}, secrets)
    return replace(composed, environment=dict.fromkeys(ENVIRONMENT_NAMES, "") | composed.environment)


@pytest.fixture(scope="session")
def fal(stack: Stack, stack_directory: Path, serve: Serve) -> FalSimulator:
    """A simulated fal.ai, one for the whole run."""
    url = stack.url("LOCAL_FAL_PORT")
    child = serve("fal", fal_arguments(stack, stack_directory), stack.environment, f"{url}/v1/meta")
    return FalSimulator(url, stack.environment["FAL_KEY"], stack.environment["FAL_ADMIN_KEY"], child.log)


@pytest.fixture(scope="session")
def stripe(stack: Stack, stack_directory: Path, serve: Serve) -> StripeSimulator:
    """A simulated Stripe, one for the whole run; its events go to the companion of `stack_environment`."""
    url = stack.url("LOCAL_STRIPE_PORT")
    child = serve("stripe", stripe_arguments(stack, stack_directory), stack.environment, f"{url}/_sim/")
    environment = stack.environment
    return StripeSimulator(url, environment["STRIPE_SECRET_KEY"], environment["STRIPE_WEBHOOK_SECRET"], child.log)


@pytest.fixture(scope="session")
def stack_environment(
    stack: Stack,
    supabase_stack: SupabaseStack,  # noqa: ARG001
    fal: FalSimulator,  # noqa: ARG001
    stripe: StripeSimulator,  # noqa: ARG001
) -> dict[str, str]:
    """The environment of a companion and of the pages on this stack: Supabase, fal.ai and Stripe run.

    `APP_PORT` and `COMPANION_PORT` are free, `PUBLIC_URL` is where a companion on that port is reached, and nothing
    listens there before a test starts it (see `serve`).
    """
    return dict(stack.environment)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser that the tests drive."""
    return browsers.ensure()
