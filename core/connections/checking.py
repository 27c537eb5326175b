"""All checks of a group at the same time, each with a short timeout: a visit takes as long as the slowest answer."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

import httpx

from core.admin import system
from core.admin.calls import only_admins
from core.connections import fal, own, sign_on, stripe, supabase
from core.connections.asking import TIMEOUT, Unanswered
from core.connections.context import Calls, Context
from core.connections.draft import Drafted
from core.connections.finding import About, Finding
from core.log import get_logger
from core.models import Person

log = get_logger(__name__)

Group = Literal["fal.ai", "Supabase", "Stripe", "This studio"]
GROUPS: Final[tuple[Group, ...]] = ("fal.ai", "Supabase", "Stripe", "This studio")
AT_ONCE: Final = 8


class Check(NamedTuple):
    about: About
    run: Callable[[Context, About], Finding]


_PRICES: Final = tuple(f"STRIPE_PRICE_CREDITS_{pack}" for pack in stripe.PACKS)
CHECKS: Final[dict[Group, tuple[Check, ...]]] = {
    "fal.ai": (
        Check(About("Key for jobs", ("FAL_KEY",)), fal.key),
        Check(About("Admin key", ("FAL_ADMIN_KEY",)), fal.admin_key),
        Check(About("Address for webhooks", ("PUBLIC_URL",)), fal.webhook_address),
        Check(About("Signatures of webhooks", ("FAL_JWKS_URL",)), fal.signing_keys),
    ),
    "Supabase": (
        Check(About("Project", ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY")), supabase.project),
        Check(About("Secret key", ("SUPABASE_SECRET_KEY",)), supabase.secret_key),
        Check(About("Migrations", ("SUPABASE_URL",)), supabase.schema),
        Check(About("Mail", ("SUPABASE_URL",)), supabase.mail),
    ),
    "Stripe": (
        Check(About("Secret key", ("STRIPE_SECRET_KEY",)), stripe.key),
        Check(About("Prices of the packs", _PRICES), stripe.prices),
        Check(About("Webhook endpoint", ("PUBLIC_URL",)), stripe.endpoint),
        Check(About("Signing secret", ("STRIPE_WEBHOOK_SECRET",)), stripe.signing_secret),
    ),
    "This studio": (
        Check(About("Secret", ("APP_SECRET",)), own.app_secret),
        Check(About("Admins", ("ADMIN_EMAILS",)), own.admin_emails),
        Check(About("Environment", ("APP_ENV",)), own.environment),
        Check(About("Alerts", ("ALERT_WEBHOOK_URL",)), own.alert_address),
        Check(About("Single sign-on", ("OIDC_METADATA_URL",)), sign_on.provider),
    ),
}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, by group, and when the asking ended."""

    findings: dict[Group, tuple[Finding, ...]]
    at: datetime


def check(person: Person, drafted: Drafted, groups: Iterable[Group] = GROUPS) -> Report:
    """Ask the outside parts of these groups. Nothing is stored, costs money or changes anything there.

    Raises NotAllowed for anybody but an admin, DatabaseUnavailable.
    """
    only_admins(person, "connections")
    wanted = tuple(groups)
    with httpx.Client(timeout=TIMEOUT, follow_redirects=False) as http:
        context = Context(
            settings=drafted.settings,
            http=http,
            simulated=drafted.simulated,
            tried=drafted.tried,
            fal_lock_reason=None if "FAL_KEY" in drafted.tried else person.fal_lock_reason,
            stripe_calls=_stripe_calls(person) if "Stripe" in wanted and "Stripe" not in drafted.simulated else Calls(),
        )
        with ThreadPoolExecutor(AT_ONCE, "connections") as pool:
            waiting = {group: [pool.submit(_run, each, context) for each in CHECKS[group]] for group in wanted}
            found = {group: tuple(each.result() for each in running) for group, running in waiting.items()}
    states = {group: [finding.state for finding in findings] for group, findings in found.items()}
    log.info("connections_checked", states=states, tried=sorted(drafted.tried))
    return Report(found, datetime.now(UTC))


def _run(check: Check, context: Context) -> Finding:
    try:
        return check.run(context, check.about)
    except Unanswered as silence:
        todo = "Check the address and the network of this machine, then check again."
        return check.about.found("unreachable", silence.sentence, todo, silence.asked)


def _stripe_calls(person: Person) -> Calls:
    rates = [rate for rate in system.rates(person) if rate.provider == "stripe"]
    return Calls(sum(rate.verified for rate in rates), sum(rate.refused for rate in rates))
