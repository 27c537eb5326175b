"""What people do: each deed is what one of us does on a page, press by press."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.hands import Hands, NotThere
from bench.visitor import Run

Deed = Callable[["Person"], Awaitable[Run]]
OPEN_AT_ONCE = 6  # running jobs that a person lets run before they ask for more
MODEL = "Flux Schnell"
STATUSES = ("Any status", "Done", "Failed", "Cancelled")
WORDS = ("cup", "lamp", "picture", "harbour", "")


@dataclass
class Person:
    """Somebody at a page, with their own chance. `asked` counts the times that Generate was pressed."""

    hands: Hands
    chance: random.Random
    page: str = "generate"
    asked: int = 0

    async def at(self, page: str) -> None:
        if self.page != page:
            self.page = page
            await self.hands.go(page)


async def submit(person: Person) -> Run:
    """Write a prompt and press Generate; with enough under way, look at it instead."""
    await person.at("generate")
    if len(person.hands.keys("cancel-")) >= OPEN_AT_ONCE:
        return await look_at_jobs(person)
    if not person.asked:  # the page opens with what this person made last
        await person.hands.pick("gen-media", person.hands.widgets["gen-media"].options[0])
        models = person.hands.widgets["gen-model-image"].options
        await person.hands.pick("gen-model-image", next(model for model in models if MODEL in model))
    slow = person.chance.choice(("", " [sim:slow=20]"))
    await person.hands.write("gen-prompt", f"A cup on a table, number {person.chance.randrange(10**6)}{slow}")
    run = await person.hands.press("generate-button")
    person.asked += 1
    return run


async def look_at_jobs(person: Person) -> Run:
    person.page = "jobs"
    return await person.hands.go("jobs")


async def cancel(person: Person) -> Run:
    """Cancel one of the running jobs."""
    await person.at("jobs")
    running = person.hands.keys("cancel-")
    return await person.hands.press(person.chance.choice(running)) if running else await submit(person)


async def filter_by_status(person: Person) -> Run:
    await person.at("jobs")
    return await person.hands.pick("jobs-status", person.chance.choice(STATUSES))


async def search(person: Person) -> Run:
    await person.at("jobs")
    return await person.hands.write("jobs-text", person.chance.choice(WORDS))


async def change_view(person: Person) -> Run:
    await person.at("jobs")
    shown = person.hands.widgets.get("jobs-view")
    if shown is None:
        raise NotThere("jobs-view")
    return await person.hands.pick("jobs-view", person.chance.choice(shown.options))


async def older(person: Person) -> Run:
    """Turn a page; from the last one begin anew."""
    await person.at("jobs")
    found = person.hands.keys("jobs-page-older")
    return await person.hands.press(found[0]) if found else await look_at_jobs(person)


async def open_one(person: Person) -> Run:
    """Open the detail of a finished job."""
    await person.at("jobs")
    shown = person.hands.keys("open-jobs-")
    return await person.hands.press(person.chance.choice(shown)) if shown else await look_at_jobs(person)


def visit(page: str) -> Deed:
    async def to(person: Person) -> Run:
        person.page = page
        return await person.hands.go(page)

    return to


# Each with how often it is done, against the others.
DEEDS: dict[str, tuple[Deed, int]] = {
    "submit": (submit, 5),
    "open Jobs": (look_at_jobs, 4),
    "cancel": (cancel, 2),
    "filter": (filter_by_status, 2),
    "search": (search, 1),
    "change view": (change_view, 1),
    "older": (older, 1),
    "open a job": (open_one, 2),
    "open Budget": (visit("budget"), 1),
    "open Credits": (visit("credits"), 1),
    "open Campaigns": (visit("campaigns"), 1),
}
