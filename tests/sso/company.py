"""A company with single sign-on: its provider, Supabase as it is hosted, and the pages set up for both."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import httpx

from local.ports import HOST, free_port
from tests.conftest import Serve, SupabaseStack

CLIENT_ID = "atelier-pages"
CLIENT_SECRET = secrets.token_urlsafe(24)
PROVIDER = "custom:acme"
LABEL = "Acme"
CALLBACK = "/session/sso/callback"


@dataclass(frozen=True)
class Company:
    """`url` is where the pages are. The provider is on another site, as it is in life: `localhost` is not 127.0.0.1."""

    url: str
    provider: str
    environment: dict[str, str]
    log: Path  # of the pages
    supabase_log: Path  # one line a request

    def asked_supabase(self) -> int:
        """How many id tokens Supabase was given."""
        return self.supabase_log.read_text(encoding="utf-8").count("grant_type=id_token")


def start(serve: Serve, environment: Mapping[str, str], supabase: SupabaseStack) -> Company:
    app, provider, hosted = free_port(), free_port(), free_port()
    url, issuer = f"http://{HOST}:{app}", f"http://localhost:{provider}"
    client = {"ISSUER": issuer, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "CALLBACK": url + CALLBACK}
    _serve(serve, "provider", provider, dict(environment) | client, "/keys")
    behind = {"LITE": supabase.url, "MAILS": str(supabase.log), "PROVIDER": PROVIDER}
    supabase_log = _serve(serve, "hosted_auth", hosted, dict(environment) | client | behind, "/here")
    settings = dict(environment) | {
        "APP_PORT": str(app),
        "SUPABASE_URL": f"http://{HOST}:{hosted}",
        "OIDC_METADATA_URL": f"{issuer}/.well-known/openid-configuration",
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_PROVIDER": PROVIDER,
        "OIDC_LABEL": LABEL,
    }
    streamlit = ["streamlit", "run", "streamlit_app.py", "--server.port", str(app), "--server.address", HOST]
    pages = serve("sso-pages", [*streamlit, "--server.headless", "true"], settings, f"{url}/_stcore/health")
    return Company(url, issuer, settings, pages.log, supabase_log)


def _serve(serve: Serve, name: str, port: int, environment: Mapping[str, str], health: str) -> Path:
    uvicorn = ["uvicorn", f"tests.sso.{name}:create_app", "--factory", "--host", HOST, "--port", str(port)]
    return serve(f"sso-{name}", uvicorn, environment, f"http://{HOST}:{port}{health}").log


class Visitor:
    """A browser without a screen, at an address that nobody else has: it goes where it is sent, one step at a time."""

    def __init__(self, company: Company) -> None:
        self.company = company
        headers = {
            "User-Agent": "visitor",
            "X-Forwarded-For": f"2001:db8:{secrets.randbelow(65536):x}:{secrets.randbelow(65536):x}::1",
        }
        self.http = httpx.Client(base_url=company.url, timeout=60, headers=headers)

    def begin(self, **query: str) -> httpx.Response:
        return self.http.get("/session/sso", params=query)

    def decide(self, started: httpx.Response, email: str, name: str, mood: str, answer: str) -> httpx.Response:
        """Press a button at the provider; it answers with the way back to us."""
        page = self.http.get(started.headers["location"])
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        form = {key: unescape(value) for key, value in hidden.items()}
        form |= {"email": email, "person": name, "mood": mood, "answer": answer}
        return self.http.post(f"{self.company.provider}/decide", data=form)

    def sign_in(
        self, email: str, name: str = "Ida Berg", *, mood: str = "as it should", answer: str = "yes", **query: str
    ) -> httpx.Response:
        """The whole way; what our callback answers."""
        decided = self.decide(self.begin(**query), email, name, mood, answer)
        return self.http.get(decided.headers["location"])
