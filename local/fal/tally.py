"""Counts what came to the submit call, so that a test can see that nothing was sent twice."""

from collections import Counter


class Tally:
    def __init__(self, next_ordinal: int = 1) -> None:
        self.refusals: Counter[int] = Counter()  # by HTTP status
        self.next_ordinal = next_ordinal

    @property
    def attempts(self) -> int:
        """Submit calls so far. Chance goes by these: by the accepted ones, a refusal would be repeated for ever."""
        return self.next_ordinal - 1 + sum(self.refusals.values())

    def accepted(self) -> int:
        """The ordinal of a request that is being accepted."""
        ordinal = self.next_ordinal
        self.next_ordinal += 1
        return ordinal

    def refused(self, status: int) -> None:
        self.refusals[status] += 1

    def clear(self) -> None:
        self.refusals.clear()
        self.next_ordinal = 1
