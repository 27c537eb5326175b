"""Operations for admins: open jobs, the webhook inbox with its rates, the audit, and how the parts are doing."""

from core.models import Person
from core.operations import Overview
from ui import admin_audit, admin_health, admin_inbox, admin_jobs, admin_rates


def draw(person: Person, overview: Overview) -> None:
    """What waits for a decision first. Raises NotAllowed for anybody but an admin."""
    admin_jobs.draw(person)
    admin_inbox.draw(person, overview)
    admin_rates.draw(person)
    admin_health.draw(person)
    admin_audit.draw(person)
