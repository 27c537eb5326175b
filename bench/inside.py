"""`core` in this process, set up for one studio: for what is measured by calling it, and for signing people in."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench.counted import Call, counting
from bench.studio import PASSWORD, Studio
from core import database, fal_account, finding, media, offers, sending, sessions, settings
from core.models import Person


def forget() -> None:
    """Nothing that `core` keeps per process outlives this."""
    if database.get_database.made:
        database.get_database().http.close()
    if sending.get_queue.made:
        sending.get_queue()._http.close()
    if fal_account.get_account.made:
        fal_account.get_account()._http.close()
    for kept in (settings.get_settings, database.get_database, sending.get_queue, fal_account.get_account):
        kept.cache_clear()
    offers.forget()
    finding.forget()
    media._signed.clear()


@contextmanager
def acting(studio: Studio, **changes: str) -> Iterator[list[Call]]:
    """`core` speaks to this studio until the end of the block; yields every HTTP request that it makes."""
    calls: list[Call] = []
    with set_up_as(studio.environment | changes), counting(calls.append):
        yield calls


@contextmanager
def set_up_as(environment: Mapping[str, str]) -> Iterator[None]:
    """`core` in this process has these settings, and no others, until the end of the block."""
    before = {name: os.environ.get(name) for name in settings.ENVIRONMENT_NAMES}
    try:
        os.environ.update({name: environment.get(name, "") for name in settings.ENVIRONMENT_NAMES})
        forget()
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        forget()


def sign_in(email: str) -> str:
    """The cookie of somebody who signs in the usual way. Within `acting`."""
    return sessions.sign_in(email, PASSWORD, address="127.0.0.1", user_agent="bench").cookie_value


def person_of(cookie: str) -> Person:
    person = sessions.current(cookie)
    assert person is not None
    return person
