"""What a page asks the database for, in one round trip instead of one for each part.

A part of a page reads by itself (`spend.report(person, period)`). The page says beforehand which parts it is about to
draw; their calls are written down, sent together, and each part is then given its own answer. A part that the page
forgot, or that asks for something else than it said, asks the database itself, as if nothing had been read together.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from core.answers import Noted, Question, answering, noting
from core.database import get_database
from core.errors import AtelierError
from core.models import Person

Read = Callable[[], object]


@contextmanager
def reading(person: Person, *reads: Read) -> Iterator[None]:
    """Within the block each of these reads is answered once from a single call, as this person.

    A read is a function of `core` that begins with one call of a SQL function that only reads, for its acting person.
    Raises what any of them raises.
    """
    questions = [question for read in reads if (question := _question(read)) is not None]
    asked = [{"function": one.function, "parameters": one.parameters} for one in questions]
    answers = get_database().call("answers", p_actor=person.user_id, p_questions=asked) if len(asked) > 1 else []
    with answering(zip(questions, answers, strict=False)):
        yield


def _question(read: Read) -> Question | None:
    """The call that a read begins with; None when it makes none."""
    with noting(), suppress(AtelierError):  # what it refuses by itself it refuses again where it belongs
        try:
            read()
        except Noted as noted:
            return noted.question
    return None
