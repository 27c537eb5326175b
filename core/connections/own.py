"""What Atelier needs of itself: a strong secret, admins, the environment that it runs in, where alerts go."""

import re
from typing import Final

from core.connections.context import Context
from core.connections.finding import About, Finding
from core.settings import LOCAL_APP_SECRET, flaw

MAKE_SECRET: Final = "Set APP_SECRET to what `openssl rand -base64 48` prints. Everybody signs in again afterwards."
_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_EXAMPLE: Final = re.compile(r"\.(example|test|invalid|localhost)$|@example\.(com|net|org)$")


def app_secret(context: Context, about: About) -> Finding:
    """Whether APP_SECRET is there, our own, and strong enough."""
    secrets = context.settings.app_secrets
    if not secrets:
        return about.found("missing", "Sessions cannot be sealed.", MAKE_SECRET)
    if LOCAL_APP_SECRET in secrets:
        said = "It is the default that everybody can read in the sources. Production does not start with it."
        return about.found("warns", said, MAKE_SECRET)
    flaws = [found for secret in secrets if (found := flaw("APP_SECRET", secret))]
    if flaws:
        return about.found("refused", f"APP_SECRET {flaws[0]}.", MAKE_SECRET)
    rotating = " The first seals, all of them open." if len(secrets) > 1 else ""
    return about.found("works", f"It is long and varied: {len(secrets[0])} characters.{rotating}")


def admin_emails(context: Context, about: About) -> Finding:
    """Whether ADMIN_EMAILS names real addresses."""
    emails = context.settings.admin_emails
    if not emails:
        said = "Nobody becomes an admin by signing in; those who are stay."
        return about.found("warns", said, "Set ADMIN_EMAILS to your own address, so that you can always get in.")
    if wrong := [email for email in emails if not _ADDRESS.fullmatch(email)]:
        said = f"Not an address: {', '.join(wrong)}."
        return about.found("refused", said, "Set ADMIN_EMAILS to full addresses, separated by commas.")
    if made_up := [email for email in emails if _EXAMPLE.search(email)]:
        state = "refused" if context.settings.is_production else "warns"
        said = f"Made up for trying things out, and never reached by mail: {', '.join(made_up)}."
        todo = "Set ADMIN_EMAILS to your own address before you use a Supabase of your own."
        return about.found("refused" if state == "refused" else "warns", said, todo)
    who = "1 address becomes an admin" if len(emails) == 1 else f"{len(emails)} addresses become admins"
    return about.found("works", f"{who} when they sign in.")


def environment(context: Context, about: About) -> Finding:
    """Which rules APP_ENV puts in force."""
    if context.settings.is_production:
        return about.found("works", "Production: weak secrets and addresses without https stop the start.")
    said = "Local: weak secrets are let through, and cookies work without https."
    return about.found("works", said, "Where others use it too, set APP_ENV=production (docs/deploy.md).")


def alert_address(context: Context, about: About) -> Finding:
    """Whether ALERT_WEBHOOK_URL is set; nothing is posted to find out more."""
    if not context.settings.alert_webhook_url:
        said = "Alerts about money are shown here and posted nowhere."
        return about.found("optional", said, "Set ALERT_WEBHOOK_URL to an incoming webhook of Slack or the like.")
    said = "Set. It is not tried here, since that would post a message; Operations says how the last one went."
    return about.found("unproved", said)
