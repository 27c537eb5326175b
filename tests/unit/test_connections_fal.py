"""What is found out about fal.ai: its keys, the address for webhooks, and silence told apart."""

import socket
import ssl

import httpx
import pytest

from core.connections.asking import Unanswered, ask
from core.connections.context import Context
from core.connections.finding import About
from core.settings import load
from tests.unit.connection_answers import (
    ABOUT,
    GOOD,
    REAL,
    Answers,
    found,
    names_fixture,  # noqa: F401
)

AUTH_401 = (401, {"error": {"type": "authorization_error", "message": "Authentication required"}})
ORDINARY = (403, {"error": {"type": "authorization_error", "message": "This operation requires ADMIN scope"}})
LOCKED = (403, {"detail": "User is locked. Reason: Exhausted balance. Top up your balance."})
OWN, BILLING = "/v1/models/requests/by-endpoint", "/v1/account/billing"


@pytest.mark.parametrize(
    ("part", "answers", "state", "says", "todo"),
    [
        ("Key for jobs", {OWN: AUTH_401}, "refused", "does not know the key …a91e", "set FAL_KEY"),
        ("Key for jobs", {OWN: LOCKED}, "refused", "is locked: User is locked. Reason: Exhausted balance", "billing"),
        ("Key for jobs", {OWN: (429, {})}, "unreachable", "asked too often", "in a minute"),
        ("Key for jobs", {OWN: (503, {})}, "unreachable", "in trouble (HTTP 503)", "in a few minutes"),
        ("Key for jobs", {OWN: (404, {})}, "unreachable", "HTTP 404, which says nothing", "FAL_API_URL"),
        ("Key for jobs", {OWN: httpx.ReadTimeout("slow")}, "unreachable", "within 6 seconds", "network"),
        ("Admin key", {BILLING: AUTH_401}, "refused", "does not know the key …b22f", "set FAL_ADMIN_KEY"),
        ("Admin key", {BILLING: ORDINARY}, "refused", "it is an ordinary key", "scope ADMIN"),
        (
            "Admin key",
            {BILLING: (200, {"credits": {"current_balance": -0.25}})},
            "refused",
            "nothing left (−$0.25)",
            "Top up",
        ),
        ("Admin key", {BILLING: (200, {"username": "x"})}, "warns", "told no balance", "billing"),
        ("Address for webhooks", {"/webhooks/fal": (200, "<html>")}, "refused", "most likely the pages", "/webhooks/"),
        (
            "Address for webhooks",
            {"/webhooks/fal": (502, "")},
            "refused",
            "cannot reach the companion",
            "COMPANION_PORT",
        ),
        ("Address for webhooks", {"/webhooks/fal": (301, "")}, "refused", "leads on to another one", "PUBLIC_URL"),
        ("Address for webhooks", {"/webhooks/fal": (404, "")}, "refused", "is not the companion (HTTP 404)", "nginx"),
        ("Signatures of webhooks", {"/.well-known/jwks.json": (404, "")}, "refused", "no keys", "FAL_JWKS_URL"),
    ],
)
def test_what_fal_answers_is_told_apart(part: str, answers: Answers, state: str, says: str, todo: str) -> None:
    finding = found("fal.ai", part, answers)
    assert finding.state == state
    assert says in finding.sentence
    assert todo in finding.todo
    assert finding.asked.startswith("GET https://")


@pytest.mark.parametrize("half", ["0f9e8d7c-aaaa-bbbb", ":0123456789abcdef", "0f9e8d7c:"])
def test_half_a_key_of_fal_is_sent_nowhere(half: str) -> None:
    for part, name in (("Key for jobs", "fal_key"), ("Admin key", "fal_admin_key")):
        finding = found("fal.ai", part, dict.fromkeys(GOOD, RuntimeError("was asked")), **{name: half})
        assert "half of a key" in finding.sentence
        assert finding.asked == ""


def test_a_lock_that_is_known_and_a_balance_that_cannot_be_asked() -> None:
    assert "has locked its account: Exhausted" in found("fal.ai", "Key for jobs", fal_lock_reason="Exhausted.").sentence
    assert "only an admin key may ask" in found("fal.ai", "Key for jobs", fal_admin_key="").sentence
    assert found("fal.ai", "Admin key", fal_admin_key="").state == "optional"
    assert found("fal.ai", "Key for jobs", fal_key="").state == "missing"


def test_an_address_that_only_this_network_knows_is_not_asked(names: dict[str, str]) -> None:
    for private in ("10.0.0.7", "127.0.0.1", "169.254.169.254", "::1"):
        names["studio.company.com"] = private
        finding = found("fal.ai", "Address for webhooks", {"/webhooks/fal": RuntimeError("was asked")})
        assert (finding.state, finding.asked) == ("refused", "")
        assert f"leads to {private}" in finding.sentence
    finding = found("fal.ai", "Address for webhooks", public_url="https://studio.nowhere")
    assert finding.state == "unreachable"
    assert "The name studio.nowhere is not known here" in finding.sentence


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (httpx.ConnectTimeout(""), "within 6 seconds"),
        (socket.gaierror(-2, "x"), "The name api.fal.ai is not known here"),
        (ssl.SSLCertVerificationError("x"), "certificate of api.fal.ai is not valid"),
        (ConnectionRefusedError(111, "x"), "Nothing listens at api.fal.ai"),
        (ConnectionResetError(104, "x"), "or broke off"),
    ],
)
def test_silence_has_its_reason(failure: Exception, says: str) -> None:
    raised = failure if isinstance(failure, httpx.HTTPError) else httpx.ConnectError("failed")
    if raised is not failure:
        raised.__cause__ = failure
    finding = found("fal.ai", "Key for jobs", {OWN: raised})
    assert finding.state == "unreachable"
    assert says in finding.sentence


def test_an_endless_answer_is_cut() -> None:
    http = httpx.Client(transport=httpx.MockTransport(lambda _request: httpx.Response(200, content=b"x" * 3_000_000)))
    with http, pytest.raises(Unanswered, match="larger than it should be"):
        ask(http, "GET", "https://studio.company.com/webhooks/fal")


def test_a_redirect_is_not_followed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "api.fal.ai"
        return httpx.Response(302, headers={"location": "http://169.254.169.254/latest/meta-data"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        context = Context(load(REAL), http)
        assert ABOUT["fal.ai", "Key for jobs"].run(context, About("", ("FAL_KEY",))).state == "unreachable"
