"""Stripe: the secret key, the prices of the packs, the webhook endpoint and its signing secret.

Questions: Stripe's API reference, "Accounts", "Prices", "Webhook endpoints": reads, which cost nothing.
"""

from typing import Any, Final

from core.connections.asking import Answer, ask
from core.connections.context import Context
from core.connections.finding import About, Finding, ending
from core.stripe_events import EVENT_TYPES

KEYS_PAGE: Final = "dashboard.stripe.com/apikeys"
WEBHOOKS_PAGE: Final = "dashboard.stripe.com/webhooks"
PATH: Final = "/webhooks/stripe"
PACKS: Final = (100, 500, 1000)
_SECRET_PREFIXES: Final = ("sk_test_", "sk_live_", "rk_test_", "rk_live_")


def key(context: Context, about: About) -> Finding:
    """Retrieves the account that the key belongs to."""
    given = context.settings.stripe_secret_key
    if context.is_simulated("Stripe"):
        return about.found(
            "simulated",
            "Stripe is simulated on this machine. Nobody pays real money.",
            f"Take a key from {KEYS_PAGE} and try it here as STRIPE_SECRET_KEY; one of test mode first.",
        )
    if not given:
        said = "Credits cannot be bought. Everything else works."
        return about.found("missing", said, f"Set STRIPE_SECRET_KEY to a key from {KEYS_PAGE}.")
    if given.startswith("pk_"):
        said = "This is a publishable key, made for browsers. It was not sent anywhere."
        return about.found("refused", said, f"Copy the secret key, sk_…, from {KEYS_PAGE}.")
    if not given.startswith(_SECRET_PREFIXES):
        said = "This is no key of Stripe: they begin with sk_test_, sk_live_, rk_test_ or rk_live_. It was not sent."
        return about.found("refused", said, f"Copy the secret key from {KEYS_PAGE}.")
    answer = _get(context, "account")
    if refusal := _refusal(about, given, answer):
        return refusal
    if answer.status == 403:  # a restricted key that may not read the account; whether it may sell, prices will say
        said = f"Stripe takes the restricted key {ending(given)}. It may not read the account, which is not needed."
        return about.found("works", said, "", answer.asked)
    return _account(context, about, given, answer)


def _account(context: Context, about: About, given: str, answer: Answer) -> Finding:
    name = _called(answer)
    if "_live_" in given and answer.field("charges_enabled") is False:
        said = f"Stripe takes the key {ending(given)} of {name}, and this account may not take payments yet."
        todo = "Finish the account's details at dashboard.stripe.com."
        return about.found("refused", said, todo, answer.asked)
    if "_test_" in given and context.settings.is_production:
        said = f"Stripe takes the key {ending(given)} of {name}. It is a test key: credits can be had for play money."
        todo = f"Set STRIPE_SECRET_KEY to the live key from {KEYS_PAGE}, sk_live_…, with its own webhook endpoint."
        return about.found("warns", said, todo, answer.asked)
    if "_live_" in given and not context.settings.is_production:
        said = f"Stripe takes the key {ending(given)} of {name}. It is a live key: real cards are charged from here."
        todo = "For trying things out use the test key, sk_test_…"
        return about.found("warns", said, todo, answer.asked)
    mode = "live mode" if "_live_" in given else "test mode"
    said = f"Stripe takes the key {ending(given)} of {name}, in {mode}."
    return about.found("works", said, "", answer.asked)


def prices(context: Context, about: About) -> Finding:
    """Looks for the price of each pack among those of the account."""
    if context.is_simulated("Stripe"):
        return about.found("simulated", "The simulated Stripe has a price for each pack.")
    if not _is_secret(context):
        return about.found("missing", "They can be looked for once there is a key.", "Set STRIPE_SECRET_KEY first.")
    unset = [name for name in about.names if not getattr(context.settings, name.lower())]
    make = "Run `python -m core.stripe_setup` with this key and set what it prints."
    if unset:
        said = f"{_listed(unset)} {'is' if len(unset) == 1 else 'are'} not set: these packs cannot be bought."
        return about.found("missing", said, make)
    answer = _get(context, "prices", {"active": "true", "limit": "100"})
    if refusal := _refusal(about, context.settings.stripe_secret_key, answer):
        return refusal
    if answer.status == 403:
        said = "This restricted key may not read prices."
        return about.found("refused", said, "Give it the rights for prices and checkout sessions.", answer.asked)
    known = {row.get("id") for row in _rows(answer)}
    lost = [name for name in about.names if getattr(context.settings, name.lower()) not in known]
    if lost:
        said = (
            f"The account has no active price with the id in {_listed(lost)}. "
            "Test mode and live mode have ids of their own."
        )
        return about.found("refused", said, make, answer.asked)
    return about.found("works", "Each pack has its price at Stripe.", "", answer.asked)


def endpoint(context: Context, about: About) -> Finding:
    """Looks for our address among the webhook endpoints of the account."""
    if context.is_simulated("Stripe"):
        return about.found("simulated", "The simulated Stripe calls the companion on this machine.")
    if not _is_secret(context):
        return about.found("missing", "It can be looked for once there is a key.", "Set STRIPE_SECRET_KEY first.")
    if not context.settings.public_url.startswith("https://") and not context.is_rehearsal:
        return about.found(
            "warns",
            "Stripe cannot call this machine: purchases are found by asking, refunds and disputes do not arrive.",
            "Set PUBLIC_URL to the https address under which the companion is reached from outside.",
        )
    wanted = f"{context.settings.public_url}{PATH}"
    answer = _get(context, "webhook_endpoints", {"limit": "100"})
    if refusal := _refusal(about, context.settings.stripe_secret_key, answer):
        return refusal
    if answer.status == 403:
        said = "This restricted key may not read webhook endpoints, so whether there is one nobody knows."
        return about.found("unproved", said, f"Look for {wanted} at {WEBHOOKS_PAGE}.", answer.asked)
    ours = [row for row in _rows(answer) if str(row.get("url", "")).rstrip("/") == wanted]
    if not ours:
        said = f"The account has no endpoint at {wanted}: refunds and disputes do not arrive."
        todo = (
            f"Add one at {WEBHOOKS_PAGE} for the events in docs/deploy.md, and set STRIPE_WEBHOOK_SECRET to its secret."
        )
        return about.found("missing", said, todo, answer.asked)
    enabled = [row for row in ours if row.get("status") == "enabled"]
    if not enabled:
        said = f"The endpoint at {wanted} is switched off, most likely by Stripe after many failures."
        return about.found("refused", said, f"Switch it on at {WEBHOOKS_PAGE}.", answer.asked)
    sent = {kind for row in enabled for kind in row.get("enabled_events") or ()}
    lacking = [] if "*" in sent else [kind for kind in EVENT_TYPES if kind not in sent]
    if lacking:
        said = f"The endpoint at {wanted} does not send {_listed(lacking)}."
        return about.found("warns", said, f"Add these events at {WEBHOOKS_PAGE}.", answer.asked)
    return about.found("works", f"Stripe calls {wanted} with every event that is needed.", "", answer.asked)


def signing_secret(context: Context, about: About) -> Finding:
    """Stripe tells the secret once, when an endpoint is made, and never confirms it: the calls that came prove it."""
    secrets = context.settings.stripe_webhook_secrets
    where = f"Copy it from the endpoint's page at {WEBHOOKS_PAGE} into STRIPE_WEBHOOK_SECRET."
    if context.is_simulated("Stripe"):
        return about.found("simulated", "The simulated Stripe signs with a secret that was made here.")
    if not secrets:
        said = "No call of Stripe can be believed: refunds and disputes do not arrive."
        return about.found("missing", said, where)
    if any(not secret.startswith("whsec_") for secret in secrets):
        said = "This is no signing secret: they begin with whsec_."
        return about.found("refused", said, where)
    if about.names[0] in context.tried:
        said = f"{_endings(secrets)} has the right shape. Only a call that Stripe signs can prove it."
        return about.found("unproved", said, f"After the restart send a test event from {WEBHOOKS_PAGE}.")
    asked = "Calls that came in the last 24 hours"
    verified, refused = context.stripe_calls.verified, context.stripe_calls.refused
    if refused and not verified:
        said = f"Of {_calls(refused)} in the last 24 hours none was signed with {_endings(secrets)}."
        todo = f"It is the secret of another endpoint, or of the other mode. {where}"
        return about.found("refused", said, todo, asked)
    if refused:
        others = "1 other was" if refused == 1 else f"{refused:,} others were"
        said = f"{_calls(verified)} of the last 24 hours proved it; {others} not signed with it."
        return about.found("works", said, "", asked)
    if verified:
        return about.found("works", f"{_calls(verified)} of the last 24 hours proved it.", "", asked)
    said = f"No call has come in the last 24 hours, so {_endings(secrets)} is not proved."
    return about.found("unproved", said, f"Send a test event from {WEBHOOKS_PAGE}.", asked)


def _is_secret(context: Context) -> bool:
    return context.settings.stripe_secret_key.startswith(_SECRET_PREFIXES)


def _get(context: Context, path: str, params: dict[str, str] | None = None) -> Answer:
    headers = {"Authorization": f"Bearer {context.settings.stripe_secret_key}"}
    return ask(context.http, "GET", f"{context.settings.stripe_api_url}/v1/{path}", headers=headers, params=params)


def _refusal(about: About, given: str, answer: Answer) -> Finding | None:
    """What is no answer about rights: 401 an unknown key, 429 and 5xx trouble. None for a 2xx or a 403."""
    if answer.is_success or answer.status == 403:
        return None
    problem = answer.field("error")
    code = problem.get("code") if isinstance(problem, dict) else None
    if answer.status == 401 and code == "api_key_expired":
        said = f"The key {ending(given)} has expired."
        return about.found("refused", said, f"Take a new one from {KEYS_PAGE}.", answer.asked)
    if answer.status == 401:
        said = f"Stripe does not know the key {ending(given)}: it is mistyped, or was rolled."
        todo = f"Copy it again from {KEYS_PAGE} into STRIPE_SECRET_KEY."
        return about.found("refused", said, todo, answer.asked)
    if answer.status == 429:
        said = "Stripe is asked too often at the moment (HTTP 429)."
        return about.found("unreachable", said, "Check again in a minute.", answer.asked)
    if answer.status >= 500:
        said = f"Stripe is in trouble (HTTP {answer.status}), so nobody knows about this key."
        return about.found("unreachable", said, "Check again in a few minutes.", answer.asked)
    said = f"Stripe answered HTTP {answer.status}, which says nothing about the key."
    todo = "Is STRIPE_API_URL right? Empty is Stripe's own."
    return about.found("unreachable", said, todo, answer.asked)


def _called(answer: Answer) -> str:
    settings = answer.field("settings")
    dashboard = settings.get("dashboard") if isinstance(settings, dict) else None
    name = dashboard.get("display_name") if isinstance(dashboard, dict) else None
    return str(name or answer.field("email") or answer.field("id") or "its account")[:80]


def _rows(answer: Answer) -> list[dict[str, Any]]:
    rows = answer.field("data")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _endings(secrets: tuple[str, ...]) -> str:
    return " or ".join(ending(secret) for secret in secrets)


def _calls(number: int) -> str:
    return "1 call of Stripe" if number == 1 else f"{number:,} calls of Stripe"
