"""Single sign-on without a provider: settings, the flow that a browser keeps, and what each refusal becomes."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.applications import Starlette
from supabase_auth.errors import AuthApiError, AuthRetryableError

from core import settings, single_sign_on
from core.errors import DatabaseUnavailable, SettingsError, SignInRefused
from local.ports import HOST, free_port
from tests.asgi import ask
from tests.unit.test_settings import PRODUCTION
from ui import sentences, web
from ui.single_sign_on import routes

SETTINGS = {
    "OIDC_METADATA_URL": "https://acme.test/.well-known/openid-configuration",
    "OIDC_CLIENT_ID": "atelier",
    "OIDC_CLIENT_SECRET": "Gx81kQpLm3Zw92rT",
    "OIDC_PROVIDER": "custom:acme",
}
METADATA = {
    "issuer": "https://acme.test",
    "authorization_endpoint": "https://acme.test/authorize?tenant=1",
    "token_endpoint": "https://acme.test/token",
    "jwks_uri": "https://acme.test/keys",
}
Answers = Callable[[int, Any], None]


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, SETTINGS)


def use(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    loaded = settings.load(values)
    monkeypatch.setattr(single_sign_on, "get_settings", lambda: loaded)
    single_sign_on._kept.clear()


@pytest.fixture
def discovery(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the discovery document answers, status and body."""
    answer: dict[str, Any] = {"status": 200, "body": json.dumps(METADATA), "asked": 0}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer["asked"] += 1
            self.send_response(answer["status"])
            self.end_headers()
            self.wfile.write(answer["body"].encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        use(monkeypatch, SETTINGS | {"OIDC_METADATA_URL": f"http://{HOST}:{server.server_port}/discovery"})
        yield answer
        server.shutdown()


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(SignInRefused) as caught:
        call()
    return caught.value.code


def test_it_is_off_unless_it_is_set_up() -> None:
    assert routes(settings.load({})) == ()
    assert len(routes(settings.load(SETTINGS))) == 2


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("environment", ["local", "production"])
def test_half_of_it_stops_the_start_with_what_is_missing(name: str, environment: str) -> None:
    values = (PRODUCTION if environment == "production" else {}) | SETTINGS
    assert settings.load(values).has_single_sign_on
    with pytest.raises(SettingsError) as caught:
        settings.load(values | {name: " "})
    assert f"this is missing: {name}. Set all of" in caught.value.sentence
    assert SETTINGS["OIDC_CLIENT_SECRET"] not in caught.value.sentence


def test_production_wants_a_provider_over_https_and_a_name_that_supabase_knows() -> None:
    with pytest.raises(SettingsError, match="OIDC_METADATA_URL must begin with https"):
        settings.load(PRODUCTION | SETTINGS | {"OIDC_METADATA_URL": "http://acme.test/discovery"})
    with pytest.raises(SettingsError, match="OIDC_PROVIDER must be Supabase's name"):
        settings.load(SETTINGS | {"OIDC_PROVIDER": "Acme Inc."})
    assert SETTINGS["OIDC_CLIENT_SECRET"] in settings.load(SETTINGS).secrets
    assert SETTINGS["OIDC_CLIENT_SECRET"] not in repr(settings.load(SETTINGS))


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, json.dumps(METADATA), ""),
        (503, "{}", "SSO_AWAY"),
        (404, "<h1>not here</h1>", "SSO_AWAY"),
        (200, "<h1>a page</h1>", "SSO_AWAY"),
        (200, "[]", "SSO_REFUSED"),
        (200, json.dumps({"issuer": "https://acme.test"}), "SSO_REFUSED"),
    ],
)
def test_a_provider_that_is_away_or_no_provider(discovery: Any, status: int, body: str, code: str) -> None:
    discovery |= {"status": status, "body": body}
    begin = lambda: single_sign_on.begin("https://studio.test/session/sso/callback", "/")  # noqa: E731
    if code:
        assert refusal(begin) == code
        discovery |= {"status": 200, "body": json.dumps(METADATA)}  # and as soon as it is there again
    address = urlsplit(begin()[0])
    assert address.netloc == "acme.test"
    assert "tenant=1&" in address.query
    asked = discovery["asked"]
    begin()
    assert discovery["asked"] == asked  # kept


def test_nobody_at_that_address(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, SETTINGS | {"OIDC_METADATA_URL": f"http://{HOST}:{free_port()}/discovery"})
    app = Starlette(routes=list(routes(single_sign_on.get_settings())))
    answer = ask(app, "GET", "/session/sso?next=/jobs")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?error=SSO_AWAY&next=%2Fjobs"


def test_in_production_the_flow_is_guarded_like_a_session(discovery: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    del discovery
    app = Starlette(routes=list(routes(single_sign_on.get_settings())))
    monkeypatch.setattr(web, "get_settings", lambda: settings.load(PRODUCTION))
    answer = ask(app, "GET", "/session/sso", headers={"Host": "studio.test"})
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-atelier_sso=")
    assert "Secure" in cookie
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["redirect_uri"] == ["https://studio.test/session/sso/callback"]


@pytest.mark.parametrize(
    ("offered", "method"),
    [
        (None, "client_secret_basic"),  # the default of OpenID Connect Discovery
        (["client_secret_post"], "client_secret_post"),
        (["client_secret_post", "client_secret_basic"], "client_secret_basic"),
    ],
)
def test_the_secret_goes_the_way_the_provider_takes_it(discovery: Any, offered: list[str] | None, method: str) -> None:
    if offered:
        discovery["body"] = json.dumps(METADATA | {"token_endpoint_auth_methods_supported": offered})
    for _ in ("fresh", "kept"):
        with single_sign_on._client("https://studio.test/") as client:
            single_sign_on._metadata(client)
            assert client.token_endpoint_auth_method == method


def test_a_flow_ends_with_its_time_and_only_here(discovery: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    del discovery
    _, sealed = single_sign_on.begin("https://studio.test/session/sso/callback", "/jobs")
    flow = single_sign_on.flow_of(sealed)
    assert flow is not None
    assert flow.target == "/jobs"
    assert [single_sign_on.flow_of(other) for other in (None, "", "x" * 40, sealed[:-4] + "AAA=")] == [None] * 4
    later = single_sign_on.time.time() + single_sign_on.FLOW_SECONDS + 1
    monkeypatch.setattr(single_sign_on.time, "time", lambda: later)
    assert single_sign_on.flow_of(sealed) is None


@pytest.mark.parametrize(
    ("claim", "provider", "confirmed"),
    [
        (True, "custom:acme", True),
        ("true", "apple", True),
        (False, "custom:acme", False),
        ("false", "google", False),
        (None, "custom:acme", False),
        (None, "keycloak", False),
        (None, "azure", True),
        (False, "azure", False),
        ("yes", "custom:acme", False),
    ],
)
def test_an_email_counts_when_the_provider_has_confirmed_it(claim: object, provider: str, confirmed: bool) -> None:
    assert single_sign_on.is_confirmed(claim, provider) is confirmed


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (422, "provider_email_needs_verification", "SSO_UNVERIFIED"),
        (422, "signup_disabled", "SSO_CLOSED"),
        (403, "user_banned", "SSO_CLOSED"),
        (400, "provider_disabled", "SSO_REFUSED"),
        (400, None, "SSO_REFUSED"),
        (429, "over_request_rate_limit", "TOO_MANY"),
    ],
)
def test_what_supabase_says_becomes_a_code_of_ours(
    monkeypatch: pytest.MonkeyPatch, status: int, said: str | None, code: str
) -> None:
    answers(monkeypatch, AuthApiError("Bad ID token", status, said))  # type: ignore[arg-type]
    assert refusal(lambda: single_sign_on._ask({})) == code  # type: ignore[typeddict-item]


@pytest.mark.parametrize("error", [AuthApiError("Internal Server Error", 500, None), AuthRetryableError("busy", 503)])
def test_a_supabase_that_is_away_is_said_so(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    answers(monkeypatch, error)
    with pytest.raises(DatabaseUnavailable):
        single_sign_on._ask({})  # type: ignore[typeddict-item]


def answers(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    class Supabase:
        @property
        def auth(self) -> "Supabase":
            return self

        def sign_in_with_id_token(self, _proof: object) -> None:
            raise error

    database = type("Database", (), {"auth": lambda _: Supabase()})()
    monkeypatch.setattr(single_sign_on, "get_database", lambda: database)


def test_every_refusal_has_a_sentence_that_names_who_one_signs_in_with() -> None:
    for code in single_sign_on._SENTENCES:
        sentence = sentences.sign_in_error(code, "Acme *Inc*")
        assert sentence not in (sentences.SIGN_IN_PLAIN, "")
        assert "{" not in sentence
        assert "*Inc*" not in sentence.replace("\\*", "")
    assert "Acme" in sentences.sign_in_error("SSO_DENIED", "Acme")
    assert sentences.sign_in_error("made up", "Acme") == sentences.SIGN_IN_PLAIN
