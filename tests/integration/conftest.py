"""For tests through Supabase: clients, and people that nobody else uses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest

from supabase import Client, ClientOptions, create_client
from tests import leftovers
from tests.conftest import FalSimulator, Serve, SupabaseStack
from tests.integration.atelier import Atelier, opened
from tests.integration.companions import Companion
from tests.integration.hands import Hands
from tests.integration.world import world_fixture  # noqa: F401

pytest.register_assert_rewrite("tests.integration.attack_scene")  # its fixtures assert: say what differs


@dataclass(frozen=True)
class Somebody:
    """A person who has signed up and in; `client` acts as them."""

    user_id: UUID
    email: str
    password: str
    access_token: str
    client: Client


@pytest.fixture(scope="module", autouse=True)
def _nothing_left(supabase_stack: SupabaseStack) -> None:
    leftovers.park(supabase_stack.database_url)


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10) as client:
        yield client


@pytest.fixture
def new_client(http: httpx.Client, supabase_stack: SupabaseStack) -> Callable[[str], Client]:
    """A supabase-py client for a key: the publishable one acts as `anon`, the secret one as `service_role`."""

    def create(key: str) -> Client:
        options = ClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=http)
        return create_client(supabase_stack.url, key, options)

    return create


@pytest.fixture
def service(new_client: Callable[[str], Client], supabase_stack: SupabaseStack) -> Client:
    return new_client(supabase_stack.secret_key)


@pytest.fixture
def anonymous(new_client: Callable[[str], Client], supabase_stack: SupabaseStack) -> Client:
    return new_client(supabase_stack.publishable_key)


@pytest.fixture
def new_person(new_client: Callable[[str], Client], supabase_stack: SupabaseStack) -> Callable[[], Somebody]:
    """Signs up and in somebody whose email nobody else has."""

    def create() -> Somebody:
        client = new_client(supabase_stack.publishable_key)
        email, password = f"{uuid4().hex}@example.test", uuid4().hex
        client.auth.sign_up({"email": email, "password": password, "options": {"data": {"full_name": "Some Body"}}})
        session = client.auth.sign_in_with_password({"email": email, "password": password}).session
        assert session is not None
        return Somebody(UUID(session.user.id), email, password, session.access_token, client)

    return create


@pytest.fixture(scope="module")
def atelier(
    stack_environment: dict[str, str], supabase_stack: SupabaseStack, fal: FalSimulator, serve: Serve
) -> Iterator[Atelier]:
    """Atelier on the servers of this run, for one file of tests. Nothing of ours listens for webhooks yet."""
    with opened(stack_environment, fal, supabase_stack.database_url, serve) as atelier:
        yield atelier


@pytest.fixture(scope="module")
def companion(atelier: Atelier) -> Iterator[Companion]:
    """A companion where fal.ai was told to call."""
    started = atelier.start_companion()
    yield started
    started.stop()


@pytest.fixture
def hands(atelier: Atelier) -> Hands:
    """The worker, turn by turn; for files of tests without a companion, whose worker would be quicker."""
    del atelier
    return Hands()


@pytest.fixture(autouse=True)
def _calm_before_and_balanced_after(request: pytest.FixtureRequest) -> Iterator[None]:
    """With an `atelier`: fal.ai is well when a test begins, and the books are in balance when it ends."""
    if "atelier" not in request.fixturenames:
        yield
        return
    atelier: Atelier = request.getfixturevalue("atelier")
    atelier.take_own_settings()
    atelier.behaviour()
    atelier.fal_is_well()
    yield
    assert atelier.audit() == []
