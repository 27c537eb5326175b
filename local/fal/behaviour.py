"""How the simulator misbehaves: global probabilities, and words in a prompt such as `[sim:lose, slow=5]`.

A *quirk* is one named way to misbehave. Each is decided once, when a request is submitted, and noted on the request, so
that everything later only looks there.
"""

import random
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

# name -> (the value it has when a prompt names it without one, what it does)
QUIRKS: dict[str, tuple[str, str]] = {
    "slow": ("10", "runs so many seconds longer"),
    "queue": ("5", "waits so many seconds in the queue"),
    "fail": ("", "the model fails with 500; not billed"),
    "fail422": ("", "the content checker refuses it while it runs"),
    "refuse": ("", "the content checker refuses it at once; seen only on the result"),
    "billed": ("", "a 422 is billed all the same"),
    "infra": ("runner_disconnected", "completes with an infrastructure error of this type"),
    "locked": ("", "403 at submit: the account is locked"),
    "lose": ("", "its webhook is never sent"),
    "repeat": ("3", "its webhook is sent so many times"),
    "delay": ("3", "its webhook is held back so many seconds"),
    "forge": ("", "a webhook with a wrong signature comes first"),
    "retried": ("", "fal retried it: the gateway request id differs"),
    "unserialisable": ("", "the webhook carries payload_error and no payload"),
    "submit_timeout": ("", "accepted, but the answer to the submit call does not come"),
    "submit_reset": ("", "accepted, but the connection drops without an answer"),
    "submit_500_accepted": ("", "accepted, but answered with 500"),
    "submit_500_dropped": ("", "not accepted, answered with 500"),
    "429": ("", "not accepted, answered with 429"),
    "outage": ("3", "so many status and result calls answer 503"),
    "result_500": ("2", "so many result calls answer 500"),
    "unlisted": ("", "it is in no list of requests"),
    "expired": ("", "the result call answers 404"),
    "paused": ("2", "so many status calls answer with an unknown status name"),
    "large": ("2", "the output is so many megabytes of JSON"),
    "cancel_ignored": ("", "a cancel is accepted, but it completes and is billed"),
    "cancel_too_late": ("", "it completes the moment it is cancelled"),
}
ALIASES = {"reorder": "delay"}
UNCLEAR_SUBMITS = ("submit_timeout", "submit_reset", "submit_500_accepted", "submit_500_dropped")
INFRASTRUCTURE_STATUS = {
    "request_timeout": 504,
    "startup_timeout": 504,
    "runner_scheduling_failure": 503,
    "runner_connection_timeout": 503,
    "runner_disconnected": 503,
    "runner_connection_refused": 503,
    "runner_connection_error": 503,
    "runner_incomplete_response": 502,
    "runner_server_error": 500,
    "internal_error": 500,
    "client_disconnected": 499,
    "client_cancelled": 499,
    "bad_request": 400,
}
_TAG = re.compile(r"\[sim:([^\]]*)\]")
Probability = Annotated[float, Field(ge=0, le=1)]


class UnknownQuirk(ValueError):
    """A `[sim:…]` word that means nothing, or has an unusable value: refused loudly, since a test relies on it."""


class Behaviour(BaseModel):
    """The global settings. Probabilities are per request, 0 to 1; times are seconds."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    seed: int | None = Field(default=None, description="makes every random decision repeatable")
    speed: float = Field(default=1.0, ge=0, description="factor on the simulated run times; 0 is as quick as it can be")
    concurrency: int = Field(default=8, ge=1, description="requests in progress at once; the others wait in the queue")
    time_factor: float = Field(default=0.1, ge=0, description="factor on the waits between the tries of a webhook")
    tiny_outputs: bool = Field(default=False, description="files are tiny and instant, for load tests")
    validate_at_submit: bool = Field(default=False, description="bad inputs are refused at submit, not on the result")
    cancel_says_ok: bool = Field(default=False, description="cancelling a queued request answers OK")
    billing_lag_s: float = Field(default=0.0, ge=0, description="until a billing event can be read")
    submit_timeout_s: float = Field(
        default=60.0, ge=0, description="how long a submit_timeout keeps its caller waiting"
    )
    outage: bool = Field(default=False, description="every API answers 503")
    locked: bool = Field(default=False, description="403 at submit")
    lock_reason: str = "Exhausted balance. Top up your balance at fal.ai/dashboard/billing."

    slow: Probability = 0.0
    fail: Probability = 0.0
    fail422: Probability = 0.0
    infra: Probability = 0.0
    lose: Probability = 0.0
    repeat: Probability = 0.0
    delay: Probability = 0.0
    forge: Probability = 0.0
    submit_unclear: Probability = 0.0
    busy: Probability = Field(default=0.0, description="429 at submit")
    result_500: Probability = 0.0
    cancel_ignored: Probability = 0.0
    delay_s: tuple[float, float] = (0.1, 1.0)
    slow_s: tuple[float, float] = (5.0, 15.0)

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> "Behaviour":
        for name in ("delay_s", "slow_s"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name} must be [low, high] with 0 <= low <= high")
        return self

    def rng(self, ordinal: int, purpose: str) -> random.Random:
        """A source of chance for one decision: repeatable when a seed is set, whatever else happens in between."""
        return random.Random() if self.seed is None else random.Random(f"{self.seed}/{ordinal}/{purpose}")

    def decide(self, inputs: dict[str, Any], header: str, ordinal: int) -> dict[str, str]:
        """The quirks of one request: those that its inputs or header name, and those that chance adds."""
        quirks = named_quirks(inputs, header)
        chances = {name: getattr(self, name) for name in Behaviour.model_fields if name in QUIRKS}
        chances.pop("locked")
        chances.pop("outage")
        chances["429"] = self.busy
        for name, chance in chances.items():
            if name not in quirks and chance and self.rng(ordinal, name).random() < chance:
                quirks[name] = QUIRKS[name][0]
                if name in ("delay", "slow"):
                    low, high = self.delay_s if name == "delay" else self.slow_s
                    quirks[name] = f"{self.rng(ordinal, name + '_s').uniform(low, high):.3f}"
        unclear = self.rng(ordinal, "submit_unclear")
        if self.submit_unclear and unclear.random() < self.submit_unclear:
            name = unclear.choice(UNCLEAR_SUBMITS)
            quirks.setdefault(name, QUIRKS[name][0])
        return quirks


def named_quirks(inputs: dict[str, Any], header: str = "") -> dict[str, str]:
    """Quirks that a prompt, text or extra `sim` field names, or the `X-Sim` header (for endpoints without a prompt).

    Raises UnknownQuirk.
    """
    texts = [value for name in ("prompt", "text") if isinstance(value := inputs.get(name), str)]
    words = [word for text in texts for group in _TAG.findall(text) for word in group.split(",")]
    for extra in (inputs.get("sim"), header):
        if isinstance(extra, str):
            words += extra.split(",")
    quirks = {}
    for word in filter(None, map(str.strip, words)):
        name, _, value = word.partition("=")
        name = ALIASES.get(name, name)
        if name not in QUIRKS:
            raise UnknownQuirk(f"the simulator knows no '{name}'; it knows {', '.join(QUIRKS)}")
        quirks[name] = _checked(name, value or QUIRKS[name][0])
    return quirks


def _checked(name: str, value: str) -> str:
    if name == "infra" and value not in INFRASTRUCTURE_STATUS:
        raise UnknownQuirk(f"infra must be one of {', '.join(INFRASTRUCTURE_STATUS)}")
    if QUIRKS[name][0].isdigit() and not re.fullmatch(r"\d+(\.\d+)?", value):
        raise UnknownQuirk(f"{name} needs a number, not '{value}'")
    return value


def without_tags(text: str) -> str:
    """The prompt as the model is meant to see it."""
    return _TAG.sub("", text).strip()
