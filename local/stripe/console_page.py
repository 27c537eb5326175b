"""The console's page: what was paid and what may be done about it. Rendered anew on each load."""

from datetime import UTC, datetime
from html import escape
from typing import Any

from local.stripe.behaviour import Behaviour
from local.stripe.pages import money, page, post_button

_INTRO = (
    '<h1>Simulated Stripe</h1><p class="muted">Nothing here costs money. Refund or dispute a payment, '
    "and choose how events are delivered.</p>"
)


def render(state: dict[str, Any], problem: str = "") -> str:
    """The whole page."""
    alert = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    body = (
        f"{_INTRO}{alert}<h2>Checkouts</h2>{_sessions(state)}<h2>Refunds and disputes</h2>{_returns(state)}"
        f"<h2>Events</h2>{_events(state)}<h2>Behaviour</h2>{_behaviour(state['behaviour'])}"
    )
    return page("Simulated Stripe", body, width="68rem")


def _table(heads: tuple[str, ...], rows: list[str], empty: str) -> str:
    if not rows:
        return f'<p class="muted">{escape(empty)}</p>'
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _cells(*cells: str, row_id: str = "") -> str:
    mark = f' id="{escape(row_id)}"' if row_id else ""
    return f"<tr{mark}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _when(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%d %b %H:%M:%S}"


def _act(label: str, action: str, known: str) -> str:
    return post_button(label, "/_sim/act", {"action": action, "id": known})


def _sessions(state: dict[str, Any]) -> str:
    payments = {payment["id"]: payment for payment in state["payments"]}
    charges = {charge["payment_intent"]: charge for charge in state["charges"]}
    rows = []
    for session in state["sessions"]:
        payment = payments.get(session["payment_intent"] or "")
        charge = charges.get(session["payment_intent"] or "")
        buttons = ""
        if session["status"] == "open":
            buttons = f'<a href="{escape(session["url"])}">Pay page</a>{_act("Expire", "expire", session["id"])}'
        elif payment and payment["status"] == "processing":
            buttons = _act("Money arrives", "arrive", payment["id"]) + _act("It bounces", "bounce", payment["id"])
        elif charge:
            buttons = _charge_buttons(charge)
        known = session["payment_intent"] or session["id"]
        facts = f"<code>{escape(known[:28])}</code><br>{escape(session['customer_email'] or '')}"
        rows.append(
            _cells(
                _when(session["created"]),
                facts,
                money(session["amount_total"], session["currency"]),
                _word(session, payment, charge),
                f'<div class="row">{buttons}</div>',
                row_id=known,
            )
        )
    return _table(("When (UTC)", "Payment", "Amount", "State", ""), rows, "Nobody has begun to pay yet.")


def _word(session: dict[str, Any], payment: dict[str, Any] | None, charge: dict[str, Any] | None) -> str:
    if charge is None:
        return "money on its way" if payment and payment["status"] == "processing" else _unpaid(session)
    words = ["paid"]
    if charge["amount_refunded"]:
        words.append(f"{money(charge['amount_refunded'], charge['currency'])} refunded")
    if charge["disputed"]:
        words.append("disputed")
    return ", ".join(words)


def _unpaid(session: dict[str, Any]) -> str:
    return "not paid" if session["status"] == "complete" else str(session["status"])


def _charge_buttons(charge: dict[str, Any]) -> str:
    payment_id = charge["payment_intent"]
    buttons = ""
    if not charge["refunded"]:
        left = (charge["amount"] - charge["amount_refunded"]) / 100
        buttons += (
            '<form method="post" action="/_sim/act" class="row">'
            f'<input type="hidden" name="id" value="{escape(payment_id)}">'
            f'<input name="amount" value="{left:.2f}" inputmode="decimal" aria-label="Amount to refund, euros">'
            '<button name="action" value="refund">Refund</button>'
            '<button name="action" value="refund_that_fails">Refund that fails</button></form>'
        )
    return buttons if charge["disputed"] else buttons + _act("Dispute", "dispute", payment_id)


def _returns(state: dict[str, Any]) -> str:
    rows = []
    for refund in state["refunds"]:
        buttons = "" if refund["status"] == "failed" else _act("Let it fail", "fail_refund", refund["id"])
        rows.append((refund, "Refund", buttons))
    for dispute in state["disputes"]:
        is_open = dispute["status"] not in ("won", "lost")
        buttons = _act("Win", "win", dispute["id"]) + _act("Lose", "lose", dispute["id"]) if is_open else ""
        rows.append((dispute, "Dispute", buttons))
    rows.sort(key=lambda row: row[0]["created"], reverse=True)
    cells = [
        _cells(
            _when(thing["created"]),
            f"{kind}<br><code>{escape(thing['id'])}</code>",
            money(thing["amount"], thing["currency"]),
            escape(thing["status"].replace("_", " ")),
            f'<div class="row">{buttons}</div>',
        )
        for thing, kind, buttons in rows
    ]
    return _table(("When (UTC)", "What", "Amount", "State", ""), cells, "None yet.")


def _events(state: dict[str, Any]) -> str:
    rows = [
        _cells(
            _when(event["created"]),
            f"{escape(event['type'])}<br><code>{escape(event['about'][:28])}</code>",
            f"{event['state']}, {_tries(event['tries'])}, last answer {event['status'] or 'none'}",
            _act("Send again", "send_again", event["id"]),
        )
        for event in state["events"][:40]
    ]
    return _table(("When (UTC)", "Event", "Delivery", ""), rows, "None yet.")


def _tries(count: int) -> str:
    return "1 try" if count == 1 else f"{count} tries"


def _behaviour(values: dict[str, Any]) -> str:
    fields = ""
    for name, known in Behaviour.model_fields.items():
        described = escape(known.description or "")
        if isinstance(values[name], bool):
            ticked = " checked" if values[name] else ""
            field = f'<input type="checkbox" name="{name}" value="true"{ticked}>'
        else:
            field = f'<input type="number" step="any" name="{name}" value="{values[name]}">'
        fields += f"<label>{field}{described}</label>"
    return f'<form method="post" action="/_sim/behaviour">{fields}<p><button>Save</button></p></form>'
