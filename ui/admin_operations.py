"""Operations for admins: open jobs, the webhook inbox with its rates, the audit, and how the parts are doing."""

from functools import partial

from core import chores
from core.admin import audits, system
from core.models import Person
from core.operations import Overview
from core.together import Read
from ui import admin_audit, admin_health, admin_inbox, admin_jobs, admin_rates


def reads(person: Person) -> tuple[Read, ...]:
    """What the sections ask for: see `core.together`."""
    return (
        partial(admin_jobs.read, person),
        partial(admin_inbox.read, person),
        *admin_rates.reads(person),
        partial(system.health, person),
        partial(chores.states, person),
        partial(audits.last, person),
    )


def draw(person: Person, overview: Overview) -> None:
    """What waits for a decision first. Raises NotAllowed for anybody but an admin."""
    admin_jobs.draw(person)
    admin_inbox.draw(person, overview)
    admin_rates.draw(person)
    admin_health.draw(person)
    admin_audit.draw(person)
