"""What all checks of one visit share."""

from dataclasses import dataclass, field

import httpx

from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Calls:
    """Webhook calls of Stripe in the last 24 hours."""

    verified: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """`settings` are those to be checked. `simulated` are the parts that they leave to the simulation; `tried` are the
    names of settings that an admin is trying out, which nothing runs on yet."""

    settings: Settings
    http: httpx.Client
    simulated: frozenset[str] = frozenset()
    tried: frozenset[str] = frozenset()
    fal_lock_reason: str | None = None
    stripe_calls: Calls = field(default_factory=Calls)

    def is_simulated(self, part: str) -> bool:
        return part in self.simulated

    @property
    def is_rehearsal(self) -> bool:
        """Whether fal.ai itself is at home, as in tests: then private addresses reach it too."""
        return self.settings.fal_queue_url.startswith("http://")
