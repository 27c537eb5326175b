"""The way to the pay page and back: who may go, what travels, where everybody ends up."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from core import payments, sessions
from core.errors import DatabaseUnavailable, NotFound, PaymentsUnavailable, Refused
from core.models import Person
from core.payments import Fulfilment
from tests.unit.ui import doubles
from tests.unit.ui.test_routes import HERE, Browser

STRIPE = "https://checkout.stripe.test/c/pay/cs_test_1"
ORDER = "00000000-0000-4000-8000-00000000000a"
FORM = {"pack": "credits_500", "cents": "7900", "order": ORDER, "back": "/credits"}


class Till:
    """Stands in for `core.payments` and remembers what was asked of it."""

    def __init__(self) -> None:
        self.person: Person | None = doubles.person()
        self.calls: list[tuple[Any, ...]] = []
        self.raises: Exception | None = None
        self.result: payments.Result = "granted"
        self.purchase = doubles.purchase()

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if self.raises is not None:
            raise self.raises

    def start(self, person: Person, pack: str, **more: Any) -> str:
        self._note("start", person.user_id, pack, more)
        return STRIPE

    def fulfil(self, person: Person, session_id: str) -> Fulfilment:
        self._note("fulfil", person.user_id, session_id)
        return Fulfilment(self.result, self.purchase, 583)

    def receipt(self, person: Person, order: UUID) -> str:
        self._note("receipt", person.user_id, order)
        return "https://pay.stripe.test/receipts/1"


@pytest.fixture
def till(monkeypatch: pytest.MonkeyPatch) -> Till:
    till = Till()
    monkeypatch.setattr(sessions, "current", lambda _cookie: till.person)
    monkeypatch.setattr(payments, "start_checkout", till.start)
    monkeypatch.setattr(payments, "fulfil", till.fulfil)
    monkeypatch.setattr(payments, "receipt_url", till.receipt)
    return till


def test_buying_starts_the_order_of_the_sessions_person(till: Till) -> None:
    response = Browser().post("/checkout/start", data=FORM | {"user_id": str(uuid4())}, headers={"origin": HERE})
    assert (response.status_code, response.headers["location"]) == (303, STRIPE)
    [(_, who, pack, more)] = till.calls
    assert (who, pack) == (doubles.ME, "credits_500")
    assert more == {
        "success_url": f"{HERE}/checkout/done?session_id={{CHECKOUT_SESSION_ID}}",
        "cancel_url": f"{HERE}/checkout/cancelled",
        "order_id": UUID(ORDER),
        "expected_cents": 7900,
    }


def test_the_way_back_is_what_the_browser_calls_us(till: Till) -> None:
    headers = {"origin": "https://studio.example", "sec-fetch-site": "same-origin"}
    Browser().post("/checkout/start", data=FORM | {"back": "/"}, headers=headers)
    more = till.calls[0][3]
    assert more["success_url"] == ("https://studio.example/checkout/done?session_id={CHECKOUT_SESSION_ID}&back=%2F")
    assert more["cancel_url"] == "https://studio.example/checkout/cancelled?back=%2F"


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}]
)
def test_other_sites_start_nothing(till: Till, headers: dict[str, str]) -> None:
    assert Browser().post("/checkout/start", data=FORM, headers=headers).status_code == 403
    assert till.calls == []


def test_only_a_post_starts_something(till: Till) -> None:
    assert Browser().get("/checkout/start").status_code == 405
    assert till.calls == []


@pytest.mark.parametrize("order", ["", "<nonsense>"])
def test_a_form_without_an_order_is_an_order_of_its_own(till: Till, order: str) -> None:
    Browser().post("/checkout/start", data=FORM | {"order": order})
    assert isinstance(till.calls[0][3]["order_id"], UUID)


@pytest.mark.parametrize(
    ("cents", "expected"),
    [("", None), ("7900", 7900), ("-1", 0), ("1e3", 0), ("²", 0), ("٣", 0), ("9" * 30, 0), ("<nonsense>", 0)],
)
def test_what_is_no_price_is_not_ours(till: Till, cents: str, expected: int | None) -> None:
    """Nobody pays another price than the one that was on the button: 0 is refused as a price that has changed."""
    Browser().post("/checkout/start", data=FORM | {"cents": cents})
    assert till.calls[0][3]["expected_cents"] == expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("No <b>", code="PRICE_CHANGED"), "PRICE_CHANGED"),
        (
            PaymentsUnavailable("Stripe is away", detail={"call": "x", "error": "y", "code": "z"}),
            "PAYMENTS_UNAVAILABLE",
        ),
        (DatabaseUnavailable("gone", detail={"call": "x", "error": "y"}), "DATABASE_UNAVAILABLE"),
    ],
)
def test_a_refusal_travels_as_a_code(till: Till, error: Exception, code: str) -> None:
    till.raises = error
    browser = Browser()
    assert browser.post("/checkout/start", data=FORM).headers["location"] == f"/credits?checkout={code}"
    assert browser.get("/checkout/done?session_id=cs_1&back=/").headers["location"] == f"/?checkout={code}"


@pytest.mark.parametrize("result", ["granted", "already_granted", "processing", "open", "expired", "flagged"])
def test_coming_back_fulfils_at_once_and_says_what_came_of_it(till: Till, result: payments.Result) -> None:
    till.result = result
    response = Browser().get("/checkout/done?session_id=cs_test_1")
    assert till.calls == [("fulfil", doubles.ME, "cs_test_1")]
    assert (response.status_code, response.headers["location"]) == (
        303,
        f"/credits?checkout={result}&order={till.purchase.id}",
    )


def test_the_session_of_somebody_else_is_refused(till: Till) -> None:
    till.raises = NotFound("There is no such order.")
    assert Browser().get("/checkout/done?session_id=cs_other").headers["location"] == "/credits?checkout=NOT_FOUND"


def test_only_our_own_pages_are_gone_back_to(till: Till) -> None:
    browser = Browser()
    for back in ("https://evil.example", "//evil.example", "/session/logout", "/admin"):
        assert browser.get(f"/checkout/cancelled?back={back}").headers["location"] == "/credits?checkout=cancelled"
    assert browser.get("/checkout/cancelled?back=/").headers["location"] == "/?checkout=cancelled"
    open_job = browser.get("/checkout/cancelled?back=%2Fjobs%3Fjob%3D1").headers["location"]
    assert open_job == "/jobs?job=1&checkout=cancelled"
    assert till.calls == []


@pytest.mark.parametrize(
    ("ask", "then"),
    [
        (lambda browser: browser.post("/checkout/start", data=FORM), "/?next=%2Fcredits"),
        (
            lambda browser: browser.get("/checkout/done?session_id=cs_1"),
            "/?next=%2Fcheckout%2Fdone%3Fsession_id%3Dcs_1",
        ),
        (lambda browser: browser.get(f"/checkout/receipt?order={ORDER}"), "/?next=%2Fcredits"),
    ],
)
def test_somebody_whose_session_has_ended_signs_in_first(till: Till, ask: Callable[[Browser], Any], then: str) -> None:
    till.person = None
    assert ask(Browser()).headers["location"] == then
    assert till.calls == []


def test_a_receipt_is_fetched_anew_and_only_for_an_order(till: Till) -> None:
    browser = Browser()
    response = browser.get(f"/checkout/receipt?order={ORDER}")
    assert response.headers["location"] == "https://pay.stripe.test/receipts/1"
    assert till.calls == [("receipt", doubles.ME, UUID(ORDER))]
    assert browser.get("/checkout/receipt?order=1").headers["location"] == "/credits?checkout=no_receipt"
    till.raises = NotFound("This order has no receipt.")
    assert browser.get(f"/checkout/receipt?order={ORDER}").headers["location"] == "/credits?checkout=no_receipt"
