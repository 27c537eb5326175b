"""An admin and a marketer on the stack of `studio`, for tests of what admins do.

A test file takes them with `from tests.integration.admin_desk import admin, in_balance, marketer`.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.models import Person
from tests.integration.studio import Studio


@pytest.fixture(name="admin", scope="module")
def admin_fixture(studio: Studio) -> Person:
    person = studio.person()
    studio.sql.execute("update public.profiles set role = 'admin' where user_id = %s", (person.user_id,))
    return replace(person, role="admin")


@pytest.fixture(name="marketer")
def marketer_fixture(studio: Studio) -> Person:
    """Somebody approved with 50 credits, of this test alone."""
    return studio.person(50)


@pytest.fixture(name="in_balance", autouse=True)
def in_balance_fixture(studio: Studio) -> Iterator[None]:
    """Whatever was done: afterwards the books are in balance."""
    yield
    assert studio.audit() == []


admin, marketer, in_balance = admin_fixture, marketer_fixture, in_balance_fixture
