"""Answers of the database that are there before they are asked for, within a block: see `core.together`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """A call of a SQL function that only reads, its parameters as JSON carries them."""

    function: str
    actor: str
    parameters: dict[str, Any]  # without the acting person


@dataclass(frozen=True, slots=True)
class Answer:
    value: Any


class Noted(BaseException):
    """A call that was written down instead of made. Not an Exception: nothing on its way takes it for trouble."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.function)
        self.question = question


_noting: ContextVar[bool] = ContextVar("noting", default=False)
_known: ContextVar[list[tuple[Question, Any]] | None] = ContextVar("known", default=None)


@contextmanager
def noting() -> Iterator[None]:
    """Within the block the first call for an acting person ends with Noted instead of going to the database."""
    token = _noting.set(True)
    try:
        yield
    finally:
        _noting.reset(token)


@contextmanager
def answering(known: Iterable[tuple[Question, Any]]) -> Iterator[None]:
    """Within the block each of these questions is answered once; asked again it goes to the database."""
    token = _known.set(list(known))
    try:
        yield
    finally:
        _known.reset(token)


def is_listening() -> bool:
    """Whether calls are written down or have answers that wait for them."""
    return _noting.get() or bool(_known.get())


def answer_to(function: str, parameters: dict[str, Any]) -> Answer | None:
    """What is known about a call (parameters in plain JSON), None when the database has to be asked.

    Raises Noted while calls are written down. A call without an acting person is none of ours.
    """
    actor = parameters.get("p_actor")
    if actor is None:
        return None
    question = Question(function, actor, {name: value for name, value in parameters.items() if name != "p_actor"})
    if _noting.get():
        raise Noted(question)
    known = _known.get() or []
    for place, (one, value) in enumerate(known):
        if one == question:
            del known[place]
            return Answer(value)
    return None
