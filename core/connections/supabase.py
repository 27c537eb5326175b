"""Supabase: the project and its publishable key, the secret key, the schema, and how people prove their address.

Questions: GET /auth/v1/settings, which needs any key, and one of our own functions, which only the secret key may call.
"""

from pathlib import Path
from typing import Any, Final

from core.connections.asking import Answer, ask
from core.connections.context import Context
from core.connections.finding import About, Finding, ending

MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "supabase" / "migrations"
KEYS_PAGE: Final = "supabase.com/dashboard, Project settings, API keys"
PUSH: Final = "Run `supabase db push` from this release."
_NO_FUNCTION: Final = "PGRST202"


def project(context: Context, about: About) -> Finding:
    """Asks the project how one signs in there, with the publishable key."""
    settings = context.settings
    if context.is_simulated("Supabase"):
        said = "Supabase and PostgreSQL run on this machine, in the folder .local."
        todo = (
            "Make a project at supabase.com and apply the migrations (docs/deploy.md). It begins empty: the people, "
            "jobs and credits of this machine stay here."
        )
        return about.found("simulated", said, todo)
    if missing := [name for name in about.names if not getattr(settings, name.lower())]:
        said = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set."
        return about.found("missing", said, f"Copy them from {KEYS_PAGE}.")
    if settings.supabase_publishable_key.startswith("sb_secret_"):
        said = "This is the secret key. It was not sent anywhere."
        return about.found("refused", said, f"Copy the publishable key, sb_publishable_…, from {KEYS_PAGE}.")
    answer = auth_settings(context)
    return _refusal(about, settings.supabase_publishable_key, answer) or about.found(
        "works",
        f"The project answers and takes the key {ending(settings.supabase_publishable_key)}.",
        "",
        answer.asked,
    )


def secret_key(context: Context, about: About) -> Finding:
    """Calls one of our functions."""
    given = context.settings.supabase_secret_key
    if context.is_simulated("Supabase"):
        return about.found("simulated", "The key was made on this machine.")
    if not given or not context.settings.supabase_url:
        said = "Nothing can be read or written." if not given else "It can be tried once there is a project."
        return about.found("missing", said, f"Copy the secret key, sb_secret_…, from {KEYS_PAGE}.")
    if given.startswith("sb_publishable_"):
        said = "This is the publishable key. It was not sent anywhere."
        return about.found("refused", said, f"Copy the secret key, sb_secret_…, from {KEYS_PAGE}.")
    answer = _migrations(context)
    if answer.status == 403 or answer.field("code") == "42501":
        said = f"The project knows the key {ending(given)}, and it is not the secret one: it may not write."
        return about.found("refused", said, f"Copy the secret key, sb_secret_…, from {KEYS_PAGE}.", answer.asked)
    if answer.field("code") == _NO_FUNCTION:
        said = f"The project takes the key {ending(given)}."
        return about.found("works", said, "", answer.asked)
    return _refusal(about, given, answer) or about.found(
        "works", f"The project takes the key {ending(given)}.", "", answer.asked
    )


def schema(context: Context, about: About) -> Finding:
    """Compares the migrations that the project has had with those of this release."""
    if context.is_simulated("Supabase"):
        return about.found("simulated", "`make run` applies them to the database on this machine.")
    settings = context.settings
    key = settings.supabase_secret_key
    if not key or key.startswith("sb_publishable_") or not settings.supabase_url:
        return about.found("missing", "They can be compared once there is a project and its secret key.")
    answer = _migrations(context)
    if answer.field("code") == _NO_FUNCTION:
        return about.found("missing", "The project has none of our tables, or older ones.", PUSH, answer.asked)
    if not answer.is_success:
        said = "They can be compared once the project takes the secret key."
        return about.found("missing", said, "", answer.asked)
    ours = known_migrations()
    if not isinstance(answer.body, list):
        said = "The project does not say which migrations it has had: they were not applied by the Supabase CLI."
        return about.found("unproved", said, PUSH, answer.asked)
    lacking = sorted(set(ours) - set(map(str, answer.body)))
    if lacking:
        number = "1 migration" if len(lacking) == 1 else f"{len(lacking)} migrations"
        said = (
            f"{number} of this release {'is' if len(lacking) == 1 else 'are'} not applied, from {ours[lacking[0]]} on."
        )
        return about.found("missing", said, PUSH, answer.asked)
    return about.found("works", f"All {len(ours)} migrations of this release are applied.", "", answer.asked)


def mail(context: Context, about: About) -> Finding:
    """Whether somebody has to open a mail before an address is theirs. What sends it cannot be asked."""
    if context.is_simulated("Supabase"):
        return about.found(
            "simulated", f"No mail is sent; what it would say is at {context.settings.supabase_url}/_sim/mails."
        )
    if not context.settings.supabase_url or not context.settings.supabase_publishable_key:
        return about.found("missing", "It can be asked about once there is a project.")
    answer = auth_settings(context)
    if not answer.is_success:
        return about.found("missing", "It can be asked about once the project takes the key.", "", answer.asked)
    if answer.field("mailer_autoconfirm") is not False:
        state = "refused" if context.settings.is_production else "warns"
        said = "Addresses are taken without a mail: anybody can sign up with an address of somebody else."
        todo = 'Switch "Confirm email" on in Supabase under Authentication, Sign in / Providers.'
        if state == "refused":
            said += " ADMIN_EMAILS make nobody an admin meanwhile."
        return about.found("refused" if state == "refused" else "warns", said, todo, answer.asked)
    return about.found(
        "unproved",
        "New people confirm their address by mail. Whether it arrives cannot be asked.",
        "Set up SMTP and the two mails of supabase/templates in Supabase under Authentication, Emails. "
        "Then ask for a new password of your own.",
        answer.asked,
    )


def known_migrations() -> dict[str, str]:
    """The migrations of this release: file name by version."""
    return {path.name.partition("_")[0]: path.name for path in sorted(MIGRATIONS.glob("*.sql"))}


def auth_settings(context: Context) -> Answer:
    """What the project says about how people may sign in (GET /auth/v1/settings)."""
    return ask(
        context.http,
        "GET",
        f"{context.settings.supabase_url}/auth/v1/settings",
        headers={"apikey": context.settings.supabase_publishable_key},
    )


def _migrations(context: Context) -> Answer:
    key = context.settings.supabase_secret_key
    return ask(
        context.http,
        "POST",
        f"{context.settings.supabase_url}/rest/v1/rpc/applied_migrations",
        headers={"apikey": key, "Authorization": f"Bearer {key}"},
        json={},
    )


def _refusal(about: About, given: str, answer: Answer) -> Finding | None:
    """What a project answers instead: 401 an unknown key, 540 a paused project. None for a 2xx."""
    if answer.is_success:
        return None
    if answer.status == 401:
        said = (
            f"The project does not know the key {ending(given)}: it is mistyped, was revoked, or is of another project."
        )
        return about.found("refused", said, f"Copy it again from {KEYS_PAGE} into {about.names[-1]}.", answer.asked)
    if answer.status == 540:
        said, todo = "The project is paused.", "Wake it up at supabase.com/dashboard."
        return about.found("unreachable", said, todo, answer.asked)
    if answer.status == 404:
        said = "There is no Supabase at this address."
        todo = "Set SUPABASE_URL to the address of the project, https://<ref>.supabase.co, without a path."
        return about.found("refused", said, todo, answer.asked)
    said = f"The project is in trouble (HTTP {answer.status}{_said(answer)}), so nobody knows about this key."
    return about.found("unreachable", said, "Check again in a few minutes.", answer.asked)


def _said(answer: Answer) -> str:
    message: Any = answer.field("message")
    return f", {message[:120]}" if isinstance(message, str) and message else ""
