"""fal.ai: the key that jobs run with, the admin key, where webhooks are sent to, and what they are signed with.

Questions: fal.ai's documentation, "Platform APIs". Own requests need a key and cost nothing; the balance needs a key of
admin scope. Whether the account is locked is told by fal.ai only when a job is submitted, so that is never tried here.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from core.connections.asking import Answer, ask
from core.connections.context import Context
from core.connections.finding import About, Finding, ending
from core.connections.outside import is_companion, private_addresses

KEYS_PAGE: Final = "fal.ai/dashboard/keys"
BILLING_PAGE: Final = "fal.ai/dashboard/billing"
_PROBE: Final = "fal-ai/flux/schnell"


def key(context: Context, about: About) -> Finding:
    """Lists our own requests of the last minute."""
    given = context.settings.fal_key
    if context.is_simulated("fal.ai"):
        return about.found(
            "simulated",
            "fal.ai is simulated on this machine. Nothing is made for real and nothing is billed.",
            f"Make a key of scope API at {KEYS_PAGE} and try it here as FAL_KEY.",
        )
    if not given:
        return about.found("missing", "No job can run.", f"Set FAL_KEY to a key of scope API from {KEYS_PAGE}.")
    if half := _half(about, given):
        return half
    now = datetime.now(UTC)
    answer = ask(
        context.http,
        "GET",
        f"{context.settings.fal_api_url}/models/requests/by-endpoint",
        headers={"Authorization": f"Key {given}"},
        params={
            "endpoint_id": _PROBE,
            "limit": "1",
            "start": (now - timedelta(minutes=1)).isoformat(),
            "end": now.isoformat(),
        },
    )
    if answer.is_success:
        if context.fal_lock_reason:
            said = f"fal.ai takes the key {ending(given)}, and has locked its account: {context.fal_lock_reason}"
            return about.found("refused", said, f"Settle that at {BILLING_PAGE}.", answer.asked)
        said = f"fal.ai takes the key {ending(given)}."
        if not context.settings.fal_admin_key:
            said += f" Whether its account has money only an admin key may ask: look at {BILLING_PAGE}."
        return about.found("works", said, "", answer.asked)
    return _refused(about, given, answer)


def admin_key(context: Context, about: About) -> Finding:
    """Reads the balance of the account."""
    given = context.settings.fal_admin_key
    if context.is_simulated("fal.ai"):
        return about.found("simulated", "The balance and what each job cost come from the simulation.")
    if not given:
        return about.found(
            "optional",
            "Without it the balance is entered by hand on Budget, and costs stay estimates.",
            f"Make a key of scope ADMIN at {KEYS_PAGE} and set FAL_ADMIN_KEY.",
        )
    if half := _half(about, given):
        return half
    answer = ask(
        context.http,
        "GET",
        f"{context.settings.fal_api_url}/account/billing",
        headers={"Authorization": f"Key {given}"},
        params={"expand": "credits"},
    )
    if not answer.is_success:
        return _refused(about, given, answer)
    credits = answer.field("credits")
    left = credits.get("current_balance") if isinstance(credits, dict) else None
    if isinstance(left, bool) or not isinstance(left, int | Decimal):
        said = "fal.ai took the key and told no balance."
        return about.found("warns", said, f"Look at {BILLING_PAGE}.", answer.asked)
    amount = f"{'−' if left < 0 else ''}${abs(Decimal(left)):,.2f}"
    if left <= 0:
        said = f"fal.ai takes the key {ending(given)}. Its account has nothing left ({amount}): it refuses every job."
        return about.found("refused", said, f"Top up at {BILLING_PAGE}.", answer.asked)
    said = f"fal.ai takes the key {ending(given)}. Its account has {amount} left."
    return about.found("works", said, "", answer.asked)


def webhook_address(context: Context, about: About) -> Finding:
    """Asks the companion for something that it refuses in its own way, from where fal.ai would come: outside."""
    url = context.settings.public_url
    if context.is_simulated("fal.ai"):
        said = "The simulated fal.ai reaches the companion on this machine."
        return about.found("simulated", said)
    if not url:
        return about.found(
            "optional",
            "Results are fetched by asking fal.ai every few seconds, which works everywhere and is a little slower.",
            "Set PUBLIC_URL to the https address under which the companion is reached from outside.",
        )
    if (private := private_addresses(url)) and not context.is_rehearsal:
        said = f"{url} leads to {private}, which is within this network. fal.ai calls public addresses only."
        return about.found("refused", said, "Set PUBLIC_URL to a public address, or leave it empty.", "")
    answer = ask(context.http, "GET", f"{url}/webhooks/fal")
    return is_companion(about, answer)


def signing_keys(context: Context, about: About) -> Finding:
    """Reads the public keys that webhooks are signed with."""
    url = context.settings.fal_jwks_url
    if context.is_simulated("fal.ai"):
        return about.found("simulated", "The simulated fal.ai signs with a key of its own.")
    answer = ask(context.http, "GET", url)
    keys = answer.field("keys")
    if answer.is_success and isinstance(keys, list) and keys:
        number = "1 public key" if len(keys) == 1 else f"{len(keys)} public keys"
        return about.found("works", f"fal.ai publishes {number} to check its calls with.", "", answer.asked)
    return about.found(
        "refused",
        f"There are no keys at this address (HTTP {answer.status}), so no webhook of fal.ai would be believed.",
        "Leave FAL_JWKS_URL empty for fal.ai's own address.",
        answer.asked,
    )


def _half(about: About, given: str) -> Finding | None:
    """A key of fal.ai is an id, a colon and a secret; people copy one of the two."""
    left, colon, right = given.partition(":")
    if colon and left and right:
        return None
    said = "This is half of a key: fal.ai's keys are id:secret, with a colon between. It was not sent anywhere."
    return about.found("refused", said, f"Copy the whole key from {KEYS_PAGE} into {about.names[0]}.")


def _refused(about: About, given: str, answer: Answer) -> Finding:
    """What fal.ai's refusals mean: 401 an unknown key, 403 an ordinary key or a locked account."""
    problem = answer.field("error")
    kind = problem.get("type") if isinstance(problem, dict) else None
    detail = answer.field("detail")
    if answer.status == 401:
        said = f"fal.ai does not know the key {ending(given)}: it is mistyped, or was revoked."
        todo = f"Make a new key at {KEYS_PAGE} and set {about.names[0]}."
    elif answer.status == 403 and kind == "authorization_error":
        said = f"The key {ending(given)} may not read this: it is an ordinary key."
        todo = f"Make a key of scope ADMIN at {KEYS_PAGE} and set {about.names[0]}."
    elif answer.status == 403:
        reason = detail if isinstance(detail, str) else "fal.ai gave no reason"
        said, todo = f"The account of this key is locked: {reason}", f"Settle that at {BILLING_PAGE}."
    elif answer.status == 429:
        said, todo = "fal.ai is asked too often at the moment (HTTP 429).", "Check again in a minute."
        return about.found("unreachable", said, todo, answer.asked)
    elif answer.status >= 500:
        said = f"fal.ai is in trouble (HTTP {answer.status}), so nobody knows about this key."
        return about.found("unreachable", said, "Check again in a few minutes.", answer.asked)
    else:
        said = f"fal.ai answered HTTP {answer.status}, which says nothing about the key."
        return about.found("unreachable", said, "Is FAL_API_URL right? Empty is fal.ai's own.", answer.asked)
    return about.found("refused", said, todo, answer.asked)
