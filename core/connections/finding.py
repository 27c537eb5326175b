"""What a check has found out about one setting, in words."""

from dataclasses import dataclass
from typing import Final, Literal

# works      set, and the real thing said yes
# warns      set and taken, but something about it will surprise
# unproved   set, and only time can tell: nothing can be asked without doing something
# optional   not set, and nothing stops without it
State = Literal["works", "warns", "unproved", "simulated", "optional", "missing", "refused", "unreachable"]
TROUBLE: Final[frozenset[State]] = frozenset({"missing", "refused", "unreachable"})


@dataclass(frozen=True, slots=True)
class Finding:
    """`names` are the settings it is about. `asked` is the question, method and address, never with a key in it; empty
    when nothing was asked. `sentence` says what came of it, `todo` what to do next; neither is escaped."""

    part: str
    names: tuple[str, ...]
    state: State
    sentence: str
    todo: str = ""
    asked: str = ""

    @property
    def is_trouble(self) -> bool:
        return self.state in TROUBLE


@dataclass(frozen=True, slots=True)
class About:
    """What a check looks at: a part in words, and the settings that decide it."""

    part: str
    names: tuple[str, ...]

    def found(self, state: State, sentence: str, todo: str = "", asked: str = "") -> Finding:
        return Finding(self.part, self.names, state, sentence, todo, asked)


def ending(secret: str) -> str:
    """…a91e: enough to tell two keys apart, of a key that is long enough to stay one."""
    return f"…{secret[-4:]}" if len(secret) >= 12 else "…"
