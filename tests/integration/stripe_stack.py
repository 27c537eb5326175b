"""A simulated Stripe in a process of its own, a client of the official package for it, and something that it calls."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import stripe

from core.stripe_api import PooledHttp
from local.ports import HOST, free_port
from local.processes import Child
from local.stripe.behaviour import Behaviour

KEY = "sk_test_of_this_run_0123456789"
SECRETS = ("whsec_current_0123456789", "whsec_earlier_0123456789")
LONGEST_WAIT = 90.0  # seconds until a test that waits for something to come gives up


def wait_for(what: Callable[[], Any], described: str) -> Any:
    """What `what` returns as soon as that is true."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not (found := what()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{described} has not come.")
        time.sleep(0.03)
    return found


@dataclass
class StripeSimulator:
    """A running simulated Stripe. `act` presses the console's buttons, `pay` those of the pay page."""

    url: str
    http: httpx.Client

    @property
    def client(self) -> stripe.StripeClient:
        return self.client_with(KEY)

    def client_with(self, key: str) -> stripe.StripeClient:
        return stripe.StripeClient(key, base_addresses={"api": self.url}, http_client=PooledHttp(self.http))

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"{self.url}/_sim/state").raise_for_status().json()
        return found

    def act(self, action: str, known: str, amount: int | None = None) -> dict[str, Any]:
        body = {"action": action, "id": known, "amount": amount}
        found: dict[str, Any] = self.http.post(f"{self.url}/_sim/act", json=body).raise_for_status().json()
        return found

    def behave(self, **wanted: Any) -> None:
        self.http.post(f"{self.url}/_sim/behaviour", json=wanted).raise_for_status()

    def pay(self, session_id: str, button: str = "pay") -> httpx.Response:
        """Press a button of the pay page; the answer is not followed."""
        return self.http.post(f"{self.url}/c/pay/{session_id}/{button}")

    def reset(self) -> None:
        """Behave, and have nothing left to send."""
        self.behave(**{name: known.default for name, known in Behaviour.model_fields.items()})
        wait_for(lambda: all(event["state"] != "owed" for event in self.state()["events"]), "the last event")

    def settled(self, event_type: str, about: str) -> dict[str, Any]:
        """The newest event of a type about an object, once it is delivered or given up."""

        def found() -> dict[str, Any] | None:
            events = [each for each in self.state()["events"] if (each["type"], each["about"]) == (event_type, about)]
            return events[0] if events and events[0]["state"] != "owed" else None

        event: dict[str, Any] = wait_for(found, f"{event_type} about {about}")
        return event


@dataclass
class Receiver:
    """An endpoint that writes down what it is sent. `answers` are the statuses to give, 200 when they run out."""

    url: str = ""
    calls: list[tuple[bytes, str]] = field(default_factory=list)  # body, Stripe-Signature
    answers: list[int] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A running endpoint."""
    received = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.calls.append((body, self.headers["Stripe-Signature"]))
            self.send_response(received.answers.pop(0) if received.answers else 200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        received.url = f"http://{HOST}:{server.server_port}/webhooks/stripe"
        yield received
        server.shutdown()
        thread.join()


@dataclass
class Launcher:
    """Starts simulators on a folder of its own, one after the other when it is restarted."""

    data: Path
    log: Path
    http: httpx.Client
    child: Child | None = None

    def start(self, webhook_url: str, port: int | None = None) -> StripeSimulator:
        port = port or free_port()
        url = f"http://{HOST}:{port}"
        self.child = Child(
            name="Simulated Stripe",
            command=[
                *(sys.executable, "-m", "local.stripe", "--port", str(port), "--data", str(self.data)),
                *("--secret-key", KEY, "--webhook-secret", ",".join(SECRETS), "--webhook-url", webhook_url),
            ],
            log=self.log,
            environment=dict(os.environ),
        )
        self.child.start()
        self.child.wait_until(lambda: self._is_well(url), 30)
        return StripeSimulator(url, self.http)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()

    def _is_well(self, url: str) -> bool:
        try:
            return self.http.get(f"{url}/health").is_success
        except httpx.TransportError:
            return False
