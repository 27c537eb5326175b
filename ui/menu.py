"""What the navigation says: a page by its name, with how many people wait for an admin."""

from core.models import Person

NAMES = ("generate", "jobs", "campaigns", "budget", "credits", "admin")


def title(name: str, person: Person) -> str:
    """Markdown. Admins see on every page how many people wait for them."""
    waiting = f" :red-badge[{person.people_waiting}]" if name == "admin" and person.people_waiting else ""
    return f"{name.capitalize()}{waiting}"
