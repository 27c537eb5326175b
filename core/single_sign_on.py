"""Single sign-on: who somebody is at the company's provider, exchanged for a session of Supabase.

OpenID Connect Core 1.0 (section 3.1, the authorization code flow) with PKCE (RFC 7636). The id token is checked here,
then given to Supabase (`grant_type=id_token`), which checks it again and knows or makes the account. From there on it
is a session like any other: approval, roles and switched-off people are decided where they always are.

`st.login` walks the same flow but cannot be used for this. Supabase wants the SHA-256 of a nonce in the id token and
the nonce itself beside it, and `st.login` chooses the nonce and forgets it; it says nothing when the provider refuses;
and it leaves a sign-in of its own in the browser, good for 30 days whatever an admin decides. So the library under it
is used.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import httpx
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from supabase_auth.errors import AuthApiError, AuthError, AuthRetryableError
from supabase_auth.types import AuthResponse, SignInWithIdTokenCredentials

from core import attempts
from core.database import UNREACHABLE, get_database
from core.errors import DatabaseUnavailable, SignInRefused
from core.log import get_logger
from core.sealing import seal, unseal
from core.sessions import SignedIn, open_session
from core.settings import get_settings

log = get_logger(__name__)
NEEDED = frozenset({"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"})  # of the discovery document
FLOW_SECONDS = 600  # to sign in at the provider
_PURPOSE = "single-sign-on"
_SECONDS = 10.0  # for one answer of the provider
_LEEWAY = 120  # seconds that the clocks may differ
_KEEP_SECONDS = 300
# Signatures that anybody can check and only the provider can make.
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
# These say nothing of the email in the id token; Supabase knows what their word is worth.
_SILENT_ABOUT_EMAILS = frozenset({"azure", "facebook", "kakao"})
_SENTENCES = {
    "SSO_DENIED": "Signing in was cancelled or refused at the provider.",
    "SSO_STALE": "Signing in took too long, or began in another browser. Start again.",
    "SSO_AWAY": "The provider of single sign-on gives no usable answer. Try again in a moment.",
    "SSO_UNVERIFIED": "The provider has not confirmed the email address.",
    "SSO_CLOSED": "There is no open account here for this person, and no new one can be made.",
    "SSO_REFUSED": "Single sign-on is not set up correctly, so nobody was signed in.",
}


@dataclass(frozen=True, slots=True)
class Flow:
    """One sign-in under way, kept sealed in the browser that began it. `until` is in seconds since 1970."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    target: str
    until: float


def begin(redirect_uri: str, target: str) -> tuple[str, str]:
    """Where to send the browser, and the flow that it has to bring back, sealed.

    `redirect_uri` is where the provider sends it afterwards, `target` the page of ours that is wanted in the end.
    Raises SignInRefused: SSO_AWAY, or SSO_REFUSED when the address has no discovery document.
    """
    nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    with _client(redirect_uri) as client:
        address, state = client.create_authorization_url(
            _metadata(client)["authorization_endpoint"],
            nonce=_hashed(nonce),
            code_verifier=verifier,
            prompt="select_account",  # or signing out would mean nothing: the next click would sign in again
        )
    flow = Flow(state, nonce, verifier, redirect_uri, target, time.time() + FLOW_SECONDS)
    return address, seal(json.dumps(asdict(flow)).encode(), _PURPOSE)


def flow_of(sealed: str | None) -> Flow | None:
    """The sign-in that this browser began; None when it began none, or too long ago."""
    opened = unseal(sealed, _PURPOSE) if sealed else None
    flow = Flow(**json.loads(opened)) if opened else None
    return flow if flow and flow.until > time.time() else None


def finish(flow: Flow | None, answer: Mapping[str, str], *, address: str, user_agent: str) -> SignedIn:
    """Exchange what the provider answered (the query of its redirect) for a session of this browser.

    Raises SignInRefused with one of the SSO_… codes or TOO_MANY, DatabaseUnavailable.
    """
    if flow is None or not hmac.compare_digest(flow.state.encode(), answer.get("state", "").encode()):
        raise _refused("SSO_STALE", "no such flow in this browser")
    if "error" in answer:
        away = answer["error"] in ("temporarily_unavailable", "server_error")
        denied = answer["error"] in ("access_denied", "login_required", "interaction_required", "consent_required")
        raise _refused("SSO_AWAY" if away else "SSO_DENIED" if denied else "SSO_REFUSED", answer["error"])
    attempt = attempts.begin("sign_in", flow.state, address)  # counts for the address; nobody else has this "account"
    try:
        signed_in = _exchanged(flow, answer.get("code", ""))
    except DatabaseUnavailable:
        attempts.withdraw(attempt)
        raise
    if signed_in.user is None or signed_in.session is None:
        raise _refused("SSO_REFUSED", "Supabase answered without a session")
    attempts.succeed(attempt)
    return open_session(signed_in.user, signed_in.session, address=address, user_agent=user_agent)


def is_confirmed(claim: object, provider: str) -> bool:
    """Whether the email is the person's, by the claim `email_verified`. Supabase asks the same, but not while its
    "Confirm email" is off: then anybody whom a provider lets choose an email could take over its account here."""
    return claim in (True, "true") or (claim is None and provider in _SILENT_ABOUT_EMAILS)


def _exchanged(flow: Flow, code: str) -> AuthResponse:
    """The code for tokens at the provider, these for a session at Supabase."""
    provider = get_settings().oidc_provider
    with _client(flow.redirect_uri) as client:
        metadata = _metadata(client)
        try:
            tokens = client.fetch_token(
                metadata["token_endpoint"], code=code, code_verifier=flow.verifier, timeout=_SECONDS
            )
        except OAuthError as error:
            raise _refused("SSO_STALE" if error.error == "invalid_grant" else "SSO_REFUSED", error.error) from error
        except (OSError, ValueError) as error:  # what goes wrong in requests is an OSError
            raise _refused("SSO_AWAY", repr(error)) from error
        claims = _claims(flow, tokens, metadata, _json(client, metadata["jwks_uri"]))
    if not is_confirmed(claims.get("email_verified"), provider):
        raise _refused("SSO_UNVERIFIED", f"email_verified is {claims.get('email_verified')}")
    proof = {"provider": provider, "token": tokens["id_token"], "nonce": flow.nonce}
    return _ask(cast(SignInWithIdTokenCredentials, proof | {"access_token": tokens["access_token"]}))


def _claims(flow: Flow, tokens: Mapping[str, Any], metadata: Mapping[str, Any], keys: Any) -> Mapping[str, Any]:
    """What the provider says about the person, checked: signature, issuer, audience, time, nonce, access token."""
    client_id = get_settings().oidc_client_id
    expected = {"iss": {"value": metadata["issuer"]}, "aud": {"value": client_id}}
    proof = {"client_id": client_id, "nonce": _hashed(flow.nonce), "access_token": tokens.get("access_token")}
    try:
        token = jwt.decode(tokens["id_token"], KeySet.import_key_set(keys), algorithms=_ALGORITHMS)
        claims = CodeIDToken(token.claims, token.header, expected, proof)
        claims.validate(leeway=_LEEWAY)
    except (JoseError, KeyError, ValueError) as error:
        raise _refused("SSO_REFUSED", f"id token: {error!r}") from error
    return cast(Mapping[str, Any], claims)


def _ask(proof: SignInWithIdTokenCredentials) -> AuthResponse:
    """What Supabase says to this id token."""
    try:
        return get_database().auth().auth.sign_in_with_id_token(proof)
    except AuthRetryableError as error:
        raise DatabaseUnavailable(UNREACHABLE) from error
    except AuthApiError as error:
        if error.status >= 500:
            raise DatabaseUnavailable(UNREACHABLE) from error
        if error.status == 429:
            raise SignInRefused(attempts.TOO_MANY, code="TOO_MANY") from error
        codes = {
            "provider_email_needs_verification": "SSO_UNVERIFIED",
            "signup_disabled": "SSO_CLOSED",
            "user_banned": "SSO_CLOSED",
        }
        raise _refused(codes.get(error.code or "", "SSO_REFUSED"), f"Supabase: {error.message}") from error
    except (AuthError, httpx.HTTPError) as error:
        raise DatabaseUnavailable(UNREACHABLE) from error


def _client(redirect_uri: str) -> OAuth2Session:
    settings = get_settings()
    return OAuth2Session(
        settings.oidc_client_id,
        settings.oidc_client_secret,
        scope="openid email profile",
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
    )


_kept: dict[str, tuple[float, dict[str, Any]]] = {}


def _metadata(client: OAuth2Session) -> dict[str, Any]:
    """The provider's discovery document (OpenID Connect Discovery 1.0), kept for some minutes."""
    address = get_settings().oidc_metadata_url
    until, metadata = _kept.get(address, (0.0, {}))
    if until < time.monotonic():
        metadata = _json(client, address)
        if not isinstance(metadata, dict) or not metadata.keys() >= NEEDED:
            raise _refused("SSO_REFUSED", "OIDC_METADATA_URL is no discovery document")
        _kept[address] = (time.monotonic() + _KEEP_SECONDS, metadata)
    if "client_secret_basic" not in metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]):
        client.token_endpoint_auth_method = "client_secret_post"
    return metadata


def _json(client: OAuth2Session, address: str) -> Any:
    try:
        answer = client.get(address, withhold_token=True, timeout=_SECONDS)
        answer.raise_for_status()
        return answer.json()
    except (OSError, ValueError) as error:
        raise _refused("SSO_AWAY", repr(error)) from error


def _hashed(nonce: str) -> str:
    """As Supabase compares it: hexadecimal SHA-256."""
    return hashlib.sha256(nonce.encode()).hexdigest()


def _refused(code: str, reason: str) -> SignInRefused:
    log.warning("single_sign_on_refused", code=code, reason=reason[:300])
    return SignInRefused(_SENTENCES[code], code=code)
