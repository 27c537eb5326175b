"""Hosted Supabase's `grant_type=id_token` in front of a Supabase Lite, which has everything else but not this.

What it accepts and refuses is what Supabase Auth does (its `internal/api/token_oidc.go`): the provider must be enabled,
the token signed by the issuer's keys, not run out, for one of our client ids, its nonce the SHA-256 of the nonce
passed, its at_hash that of the access token passed; an email that the provider does not call confirmed is answered with
`provider_email_needs_verification`, unless "Confirm email" is off. Then the account of that email is made or found, and
the session is Lite's own, by the code of a mail.
"""

import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import Any

import httpx
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_HOP = {"content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive"}


def _refusal(description: str, error: str = "invalid request") -> Response:
    """As the OAuth errors of Supabase Auth look."""
    return JSONResponse({"error": error, "error_description": description}, 400)


class HostedAuth:
    def __init__(self, lite: str, mails: Path, provider: str, issuer: str, client_id: str) -> None:
        self._lite, self._mails = httpx.AsyncClient(base_url=lite, timeout=30), mails
        self._provider, self._issuer, self._client_id = provider, issuer, client_id

    async def everything(self, request: Request) -> Response:
        if request.url.path == "/auth/v1/token" and request.query_params.get("grant_type") == "id_token":
            return await self._id_token_grant(request)
        headers = {name: value for name, value in request.headers.items() if name not in _HOP | {"host"}}
        answer = await self._lite.request(
            request.method,
            str(request.url.replace(scheme="", netloc="")),
            content=await request.body(),
            headers=headers,
        )
        kept = {name: value for name, value in answer.headers.items() if name not in _HOP}
        return Response(answer.content, answer.status_code, kept)

    async def _id_token_grant(self, request: Request) -> Response:
        asked = await request.json()
        if asked["provider"] != self._provider:
            text = f'Custom OIDC provider "{asked["provider"]}" not allowed'
            return JSONResponse({"code": 400, "error_code": "validation_failed", "msg": text}, 400)
        async with httpx.AsyncClient() as http:
            metadata = (await http.get(f"{self._issuer}/.well-known/openid-configuration")).json()
            keys = KeySet.import_key_set((await http.get(metadata["jwks_uri"])).json())
        try:
            token = jwt.decode(asked["id_token"], keys, algorithms=["RS256"])
            CodeIDToken(
                token.claims,
                token.header,
                {"iss": {"value": self._issuer}},
                {"access_token": asked.get("access_token")},
            ).validate()
        except (JoseError, ValueError):
            return _refusal("Bad ID token")
        claims = token.claims
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if self._client_id not in audiences:
            return _refusal(f"Unacceptable audience in id_token: {audiences}")
        if bool(claims.get("nonce")) != bool(asked.get("nonce")):
            return _refusal("Passed nonce and nonce in id_token should either both exist or not.")
        if hashlib.sha256(asked["nonce"].encode()).hexdigest() != claims["nonce"]:
            return _refusal("Nonces mismatch", "invalid nonce")
        settings = await self._lite.get("/auth/v1/settings", headers={"apikey": request.headers["apikey"]})
        if not claims.get("email_verified") and not settings.json()["mailer_autoconfirm"]:
            text = f"Unverified email with {self._provider}. A confirmation email has been sent"
            return JSONResponse({"code": 422, "error_code": "provider_email_needs_verification", "msg": text}, 422)
        return await self._session(claims, {"apikey": request.headers["apikey"]})

    async def _session(self, claims: dict[str, Any], headers: dict[str, str]) -> Response:
        """Of the account with this email, made when there is none; its data are named as Supabase names them."""
        email = claims["email"].lower()
        data = {name: claims[name] for name in ("iss", "sub", "name", "email", "email_verified") if name in claims}
        account = {"email": email, "password": secrets.token_urlsafe(24), "data": data}
        await self._lite.post("/auth/v1/signup", json=account, headers=headers)  # refused when there is one
        (await self._lite.post("/auth/v1/otp", json={"email": email}, headers=headers)).raise_for_status()
        mails = self._mails.read_text(encoding="utf-8")
        code = re.search(r"code is: (\d+)", mails[mails.rindex(f"To: {email}") :])
        assert code is not None
        proof = {"type": "magiclink", "email": email, "token": code[1]}
        answer = await self._lite.post("/auth/v1/verify", json=proof, headers=headers)
        return Response(answer.content, answer.status_code, media_type="application/json")


def create_app() -> Starlette:
    env = os.environ
    hosted = HostedAuth(env["LITE"], Path(env["MAILS"]), env["PROVIDER"], env["ISSUER"], env["CLIENT_ID"])
    return Starlette(
        routes=[
            Route("/here", lambda _: Response()),
            Route("/{path:path}", hosted.everything, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
        ]
    )
