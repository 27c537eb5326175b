"""An OpenID Connect provider for tests: discovery, a page with a sign-in button, codes with PKCE, tokens, keys.

    ISSUER=http://localhost:9000 CLIENT_ID=… CLIENT_SECRET=… CALLBACK=http://…/session/sso/callback \
        python -m uvicorn tests.sso.provider:create_app --factory --port 9000

Who signs in types a name and an email, as the directory of the company would know them, and chooses what the provider
does wrong this time (`Mood`). OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749 (client_secret_basic), RFC 7636.
"""

import base64
import hashlib
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, unquote, urlencode

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

Mood = Literal[
    "as it should",  # nothing is wrong
    "email not confirmed",
    "email not mentioned",  # as confirmed or not: the claim is missing
    "for another client",
    "with another nonce",
    "of another issuer",
    "run out",
    "signed by somebody else",
    "without id token",
    "code refused",
    "out of order",  # the token endpoint answers 503
]
_ALLOWED = {"response_type": "code", "code_challenge_method": "S256"}


@dataclass(frozen=True)
class Grant:
    """What a code stands for."""

    asked: Mapping[str, str]
    email: str
    name: str
    mood: str


@dataclass
class Provider:
    issuer: str
    client_id: str
    client_secret: str
    callbacks: tuple[str, ...]  # registered: nobody is sent anywhere else
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "current", "use": "sig"}))
    grants: dict[str, Grant] = field(default_factory=dict)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)  # by access token

    async def discovery(self, _request: Request) -> Response:
        at = self.issuer
        return JSONResponse(
            {
                "issuer": at,
                "authorization_endpoint": f"{at}/authorize",
                "token_endpoint": f"{at}/token",
                "userinfo_endpoint": f"{at}/userinfo",
                "jwks_uri": f"{at}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "scopes_supported": ["openid", "email", "profile"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def keys(self, _request: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if asked.get("client_id") != self.client_id or asked.get("redirect_uri") not in self.callbacks:
            return HTMLResponse("<h1>Unknown application or address.</h1>", 400)
        wrong = any(asked.get(name) != value for name, value in _ALLOWED.items())
        if wrong or "openid" not in asked.get("scope", "").split() or not asked.get("code_challenge"):
            return _sent_back(asked, {"error": "invalid_request"})
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in asked.items()
        )
        moods = "".join(f"<option>{mood}</option>" for mood in get_args(Mood))
        return HTMLResponse(
            '<!doctype html><html lang="en"><title>Acme</title><h1>Acme</h1><form method="post" action="/decide">'
            f'{hidden}<p><label>Name <input name="person"></label><p><label>Email <input name="email"></label>'
            f'<p><label>This time <select name="mood">{moods}</select></label>'
            '<p><button name="answer" value="yes">Continue to Atelier</button> '
            '<button name="answer" value="no">Cancel</button></form></html>'
        )

    async def decide(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if form.get("redirect_uri") not in self.callbacks:
            return HTMLResponse("<h1>Unknown address.</h1>", 400)
        if form.get("answer") != "yes":
            return _sent_back(form, {"error": "access_denied", "error_description": "They said <b>no</b>."})
        code = secrets.token_urlsafe(24)
        self.grants[code] = Grant(form, form["email"], form["person"], form.get("mood", "as it should"))
        return _sent_back(form, {"code": code})

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if not self._is_client(request.headers.get("authorization", "")):
            return JSONResponse({"error": "invalid_client"}, 401)
        grant = self.grants.pop(form.get("code", ""), None)  # a code works once
        challenge = _hash_of(form.get("code_verifier", ""), 32)
        if (
            grant is None
            or grant.mood == "code refused"
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != grant.asked["redirect_uri"]
            or challenge != grant.asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        if grant.mood == "out of order":
            return JSONResponse({"error": "temporarily_unavailable"}, 503)
        access_token = secrets.token_urlsafe(24)
        claims = self._claims(grant, access_token)
        self.people[access_token] = claims
        answer = {"access_token": access_token, "token_type": "Bearer", "expires_in": 300, "scope": "openid"}
        if grant.mood != "without id token":
            answer["id_token"] = self._signed(claims, by_somebody_else=grant.mood == "signed by somebody else")
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    async def userinfo(self, request: Request) -> Response:
        claims = self.people.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if claims is None:
            return JSONResponse({"error": "invalid_token"}, 401)
        return JSONResponse({name: claims[name] for name in ("sub", "name", "email")})

    def _is_client(self, header: str) -> bool:
        try:
            name, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        except ValueError:
            return False
        return (unquote(name), unquote(secret)) == (self.client_id, self.client_secret)

    def _claims(self, grant: Grant, access_token: str) -> dict[str, Any]:
        """The id token of this grant; exactly one thing is wrong with it, or none."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": hashlib.sha256(grant.email.encode()).hexdigest()[:20],
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.asked.get("nonce", ""),
            "at_hash": _hash_of(access_token, 16),
            "name": grant.name,
            "email": grant.email,
            "email_verified": True,
        }
        wrong: dict[str, dict[str, Any]] = {
            "email not confirmed": {"email_verified": False},
            "for another client": {"aud": "another-client", "azp": self.client_id},
            "with another nonce": {"nonce": secrets.token_hex(32)},
            "of another issuer": {"iss": "https://idp.example"},
            "run out": {"iat": now - 3600, "exp": now - 3000},
        }
        claims |= wrong.get(grant.mood, {})
        if grant.mood == "email not mentioned":
            del claims["email_verified"]
        return claims

    def _signed(self, claims: dict[str, Any], *, by_somebody_else: bool) -> str:
        key = RSAKey.generate_key(2048) if by_somebody_else else self.key
        return jwt.encode({"alg": "RS256", "kid": "current"}, claims, key)


def _hash_of(text: str, size: int) -> str:
    """The first bytes of the SHA-256, as base64url without padding (code_challenge, at_hash)."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:size]).rstrip(b"=").decode()


def _sent_back(asked: Mapping[str, str], answer: Mapping[str, str]) -> Response:
    query = urlencode({**answer, "state": asked.get("state", "")})
    return RedirectResponse(f"{asked['redirect_uri']}?{query}", 303)


def create_app() -> Starlette:
    env = os.environ
    provider = Provider(env["ISSUER"], env["CLIENT_ID"], env["CLIENT_SECRET"], tuple(env["CALLBACK"].split(",")))
    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", provider.discovery),
            Route("/keys", provider.keys),
            Route("/authorize", provider.authorize),
            Route("/decide", provider.decide, methods=["POST"]),
            Route("/token", provider.token, methods=["POST"]),
            Route("/userinfo", provider.userinfo),
        ]
    )
