"""What a generation type is, and the checks and requests that follow from its entry alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from core.catalog.fields import Field
from core.errors import InvalidInput, NotFound

Media = Literal["image", "video", "voice", "3d"]
Inputs = Mapping[str, Any]
TITLE_LENGTH: Final = 60  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of each unit a job with these inputs uses: what credits and fal.ai's price are counted in.

    A None says that the unit cannot be told for this type. `factor` weighs fal.ai's units where a price has tiers (see
    `pricing`). `megapixels` is also given the area of the picture in the field `sized_by`, where that decides how large
    the result is. `compute_seconds` is the stated default for what no input tells, until history knows better.
    """

    images: Callable[[Inputs], int] | None = None
    megapixels: Callable[[Inputs, Decimal], Decimal] | None = None
    sized_by: str = ""
    seconds: Callable[[Inputs], Decimal] | None = None
    compute_seconds: Decimal | None = None
    factor: Callable[[Inputs], Decimal] = lambda _inputs: Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationType:
    """One entry of the catalogue: everything about a type that is code. Prices and switches are rows (`Offer`).

    `expected_seconds` is what a run usually takes; `longest_seconds` after its start fal.ai cannot still be working on
    it. `fixed` goes into every request; `finish` has the last word on a request, for rules between fields.
    """

    key: str
    label: str
    media: Media
    noun: str
    endpoint: str
    fields: tuple[Field, ...]
    usage: Usage
    expected_seconds: int
    longest_seconds: int
    fixed: Mapping[str, Any] = field(default_factory=dict)
    finish: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: body

    def field_named(self, name: str) -> Field | None:
        return next((known for known in self.fields if known.name == name), None)

    def clean(self, inputs: Inputs, *, complete: bool = True) -> dict[str, Any]:
        """The inputs of one job: defaults filled in, everything checked, form-only fields dropped.

        With `complete=False` what is required may still be missing: a price is shown before the prompt is written.
        Raises InvalidInput.
        """
        for name in inputs:
            if self.field_named(name) is None:
                raise InvalidInput(f"{self.label} has no setting called {str(name)[:40]!r}.", field=str(name)[:40])
        cleaned = {known.name: known.clean(inputs.get(known.name)) for known in self.fields}
        if complete:
            for known in self.fields:
                if known.required and cleaned[known.name] is None:
                    raise known.refused(f"{known.label} is missing.")
        kept = {known.name for known in self.fields if known.per_job}
        return {name: value for name, value in cleaned.items() if name in kept and value is not None}

    def acceptable(self, inputs: Inputs) -> tuple[dict[str, Any], list[str]]:
        """What of inputs from another day is still accepted, and a sentence for each that is not. Fills in nothing."""
        kept: dict[str, Any] = {}
        sentences = []
        for name, value in inputs.items():
            known = self.field_named(name)
            if known is None:
                sentences.append(f"{self.label} has no setting called {str(name)[:40]!r} any more.")
            elif value is not None and value != "":
                try:
                    kept[name] = known.clean(value)
                except InvalidInput as error:
                    sentences.append(error.sentence)
        return kept, sentences

    def request_body(self, inputs: Inputs) -> dict[str, Any]:
        """fal.ai's own input for these inputs. Raises InvalidInput."""
        cleaned = self.clean(inputs)
        body = {known.wire_name: known.encode(cleaned[known.name]) for known in self.fields if known.name in cleaned}
        return self.finish({**body, **self.fixed})

    def title(self, inputs: Inputs) -> str:
        """A short title for a card: the beginning of the prompt, else what is being made."""
        text = " ".join(str(inputs.get("prompt") or inputs.get("text") or "").split())
        if not text:
            return self.label.split(" · ")[-1].capitalize()
        if len(text) <= TITLE_LENGTH:
            return text
        cut = text[:TITLE_LENGTH].rsplit(" ", 1)[0].rstrip(" ,.;:–-")
        return f"{cut or text[:TITLE_LENGTH]}…"


def unknown_type(key: str) -> NotFound:
    """The error for a key that is not in the catalogue; at most 40 characters of it are repeated."""
    return NotFound(f"There is no type called {key[:40]!r}.", detail={"generation_type": key[:40]})
