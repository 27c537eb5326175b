"""Presets: the settings of a generation type under a name, a person's own or shared with the team by an admin.

The database keeps what was on the form; what the catalogue no longer accepts is left out when one is applied, not when
it is read, so that a model that comes back finds its presets again.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from core.catalog import GENERATION_TYPES, GenerationType
from core.database import fetch, get_database
from core.models import Person

LONGEST_NAME = 60  # characters


@dataclass(frozen=True, slots=True)
class Preset:
    id: UUID
    owner_id: UUID
    generation_type: str
    name: str
    inputs: dict[str, Any]
    is_shared: bool

    def may_change(self, person: Person) -> bool:
        """Rename or delete it: their own, and as an admin what the team shares. Who shared it may be none any more."""
        return person.is_admin if self.is_shared else self.owner_id == person.user_id


def list_presets(person: Person) -> tuple[Preset, ...]:
    """The person's own and the team's, by name. Raises DatabaseUnavailable."""
    query = get_database().rows_of(person.access_token).from_("presets").select("*")
    query = query.or_(f"user_id.eq.{person.user_id},is_shared.is.true")
    rows = fetch(query.order("name").order("id").limit(1000), "presets")
    return tuple(preset_of(row) for row in rows)


def save(person: Person, generation_type: str, name: str, inputs: dict[str, Any]) -> bool:
    """Keep settings under a name; returns whether one of that name had been there and has these settings now.

    Files are not kept: what fal.ai stores for us is gone one day. Nor is what is empty. Raises InvalidInput for the
    name, NotFound, Refused beyond fifty for a type.
    """
    known = GENERATION_TYPES[generation_type]
    row = get_database().call(
        "save_preset",
        p_preset=uuid4(),
        p_actor=person.user_id,
        p_generation_type=generation_type,
        p_name=name,
        p_input_params={name: value for name, value in inputs.items() if _is_kept(known, name, value)},
    )
    return bool(row["replaced"])


def rename(person: Person, preset: Preset, name: str) -> None:
    """Raises InvalidInput for the name, NotFound, Refused when there is another one of that name."""
    get_database().call("edit_preset", p_actor=person.user_id, p_preset=preset.id, p_name=name)


def share(person: Person, preset: Preset, shared: bool) -> None:
    """Let the whole team use it, or only its owner again. Raises NotAllowed unless the person is an admin, NotFound."""
    get_database().call("edit_preset", p_actor=person.user_id, p_preset=preset.id, p_shared=shared)


def delete(person: Person, preset: Preset) -> None:
    """For good. Raises NotFound."""
    get_database().call("delete_preset", p_actor=person.user_id, p_preset=preset.id)


def preset_of(row: dict[str, Any]) -> Preset:
    """From a row of `presets`."""
    return Preset(
        id=UUID(row["id"]),
        owner_id=UUID(row["user_id"]),
        generation_type=row["generation_type"],
        name=row["name"],
        inputs=row["input_params"],
        is_shared=row["is_shared"],
    )


def _is_kept(known: GenerationType, name: str, value: Any) -> bool:
    field = known.field_named(name)
    return field is not None and not field.is_file and value is not None and value != ""
