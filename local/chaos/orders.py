"""What people will want, and what will go wrong with it: the same for the same seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

KINDS = ("image_flux_schnell", "image_flux_dev", "video_veo31_fast")
WEIGHTS = (75, 17, 8)
MANY = 400  # jobs; a run with fewer is a short one
UNCLEAR = ("submit_reset", "submit_500_accepted", "submit_500_dropped", "submit_timeout")


@dataclass(frozen=True, slots=True)
class Odds:
    """How likely each thing is to happen to a job, 0 to 1."""

    lose: float = 0.20
    repeat: float = 0.30
    delay: float = 0.25
    forge: float = 0.10
    unclear: float = 0.05
    unheard: float = 0.60  # of those: the webhook is lost too, for the time being
    unlisted: float = 0.50  # of those: it is in no list of fal.ai's either
    unserialisable: float = 0.03
    slow: float = 0.05
    fail422: float = 0.03
    infra: float = 0.04
    outage: float = 0.05  # the first question about it is not answered
    result_500: float = 0.05
    cancel: float = 0.10
    cancel_ignored: float = 0.30  # of those
    retry: float = 0.25  # of what has failed, one by one; the rest is tried again all at once


@dataclass(frozen=True, slots=True)
class Order:
    """One job that somebody will ask for; ids are text, so that an order can travel as JSON. Times in seconds."""

    job_id: str
    person: int
    kind: str
    inputs: dict[str, Any]
    quirks: tuple[str, ...]
    think: float  # before it is asked for
    cancel_after: float | None
    retry_id: str | None  # the id of the second try, should the first one fail


def orders(seed: int, jobs: int, people: int, first_frame: str, pace: float, odds: Odds = Odds()) -> list[Order]:
    """So many orders, with `pace` seconds between two of one person at most; `first_frame` is the address of a picture
    for videos."""
    rng = random.Random(f"orders/{seed}")
    # Of few orders none takes the twenty seconds until a caller gives up.
    unclear = UNCLEAR if jobs >= MANY else UNCLEAR[:3]
    return [_order(rng, number, people, first_frame, pace, unclear, odds) for number in range(jobs)]


def _order(
    rng: random.Random,
    number: int,
    people: int,
    first_frame: str,
    pace: float,
    unclear: Sequence[str],
    odds: Odds,
) -> Order:
    def happens(chance: float) -> bool:
        return rng.random() < chance

    quirks = []
    if happens(odds.lose):
        quirks.append("lose")
    if happens(odds.repeat):
        quirks.append(f"repeat={rng.randint(2, 4)}")
    if happens(odds.delay):
        quirks.append(f"delay={rng.uniform(0.1, 3):.2f}")
    if happens(odds.forge):
        quirks.append("forge")
    if happens(odds.unserialisable):
        quirks.append("unserialisable")
    if happens(odds.slow):
        quirks.append(f"slow={rng.uniform(0.5, 4):.2f}")
    if happens(odds.unclear):
        quirks.append(rng.choice(unclear))
        if happens(odds.unheard):
            quirks += [quirk for quirk in ("lose",) if quirk not in quirks]
            quirks += ["unlisted"] if happens(odds.unlisted) else []
    if happens(odds.fail422 + odds.infra):
        quirks.append(rng.choices(("fail422", "infra"), (odds.fail422, odds.infra))[0])
    quirks += [f"{name}=1" for name in ("outage", "result_500") if happens(getattr(odds, name))]
    cancel_after = rng.uniform(0, 1.5) if happens(odds.cancel) else None
    if cancel_after is not None and happens(odds.cancel_ignored):
        quirks.append("cancel_ignored")
    kind = rng.choices(KINDS, WEIGHTS)[0]
    tags = f" [sim:{','.join(quirks)}]" if quirks else ""
    inputs: dict[str, Any] = {"prompt": f"Order {number}{tags}"}
    if kind == KINDS[2]:
        inputs |= {"image_url": first_frame, "duration": 4}
    return Order(
        job_id=_id(rng),
        person=number % people,
        kind=kind,
        inputs=inputs,
        quirks=tuple(quirk.partition("=")[0] for quirk in quirks),
        think=rng.uniform(0, pace),
        cancel_after=cancel_after,
        retry_id=_id(rng) if happens(odds.retry) else None,
    )


def _id(rng: random.Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))
