"""Going from simulated to real: what each outside part says to the keys that are set or tried out."""

from core.connections.checking import GROUPS, Group, Report, check
from core.connections.draft import ACCEPTED, Draft, Drafted, draft
from core.connections.finding import Finding, State
from core.connections.writing import Ready, ready, write

__all__ = [
    "ACCEPTED",
    "GROUPS",
    "Draft",
    "Drafted",
    "Finding",
    "Group",
    "Ready",
    "Report",
    "State",
    "check",
    "draft",
    "ready",
    "write",
]
