"""Single sign-on: whether the provider is there, and whether Supabase has it switched on.

Questions: the discovery document (OpenID Connect Discovery 1.0) and GET /auth/v1/settings. The client's secret is not
sent: only a person who signs in can prove it.
"""

from core.connections.asking import ask
from core.connections.context import Context
from core.connections.finding import About, Finding
from core.connections.supabase import auth_settings
from core.single_sign_on import NEEDED

WHERE = "in Supabase under Authentication, Sign in / Providers"


def provider(context: Context, about: About) -> Finding:
    """Whether single sign-on is set up as a whole, and the provider says who it is."""
    settings = context.settings
    if not settings.has_single_sign_on:
        said = "People sign in with a password."
        return about.found("optional", said, "Your company's own sign-in can be added, see docs/deploy.md.")
    answer = ask(context.http, "GET", settings.oidc_metadata_url)
    if answer.status >= 500:
        said = f"The provider is in trouble (HTTP {answer.status}); passwords still work."
        return about.found("unreachable", said, "Check again in a few minutes.", answer.asked)
    if not answer.is_success or any(not isinstance(answer.field(name), str) for name in NEEDED):
        said = "What answers there is no provider of OpenID Connect."
        todo = "Set OIDC_METADATA_URL to its discovery document, https://…/.well-known/openid-configuration."
        return about.found("refused", said, todo, answer.asked)
    name, known = settings.oidc_provider, auth_settings(context).field("external")
    if isinstance(known, dict) and not name.startswith("custom:"):  # Supabase does not list those
        if name not in known:
            said = f"Supabase has no provider named {name}."
            todo = f"Set OIDC_PROVIDER to its name {WHERE}, such as azure or custom:acme."
            return about.found("refused", said, todo, answer.asked)
        if known[name] is not True:
            said = f"Supabase has {name} switched off, so it takes nobody's word from there."
            return about.found("refused", said, f"Switch it on {WHERE}, with the same client id.", answer.asked)
    said = f"{answer.field('issuer')} is there. Only a sign-in proves that it takes the secret, and Supabase its word."
    todo = "Sign out, then sign in with it; if it does not work, the log of the pages says why."
    return about.found("unproved", f"The provider {said}", todo, answer.asked)
