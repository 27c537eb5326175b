"""What of a draft is worth a restart, and putting it into `.env` on one's own machine."""

from collections.abc import Mapping
from dataclasses import dataclass

from core import env_file
from core import settings as configuration
from core.admin.calls import as_admin, only_admins
from core.connections.checking import Report
from core.connections.draft import ACCEPTED, Draft, Drafted
from core.errors import NotAllowed
from core.models import Person
from core.settings import get_settings


@dataclass(frozen=True, slots=True)
class Ready:
    """The settings that may be written, and why others that were tried are left out, in words."""

    names: tuple[str, ...]
    left_out: Mapping[str, str]


def ready(drafted: Drafted, report: Report) -> Ready:
    """Whatever was tried and not refused; a part that needs several settings is taken as a whole."""
    refused = {
        name for findings in report.findings.values() for one in findings if one.is_trouble for name in one.names
    }
    left_out = dict(drafted.problems) | {
        name: "It was refused, or nobody answered." for name in drafted.tried if name in refused
    }
    for part, names in ACCEPTED.items():
        first, *others = names
        if part in drafted.simulated:
            left_out |= {name: f"{first} is needed with it." for name in others if name in drafted.tried}
    whole = ACCEPTED["Supabase"]
    if set(whole) & drafted.tried and any(
        name in left_out or not getattr(drafted.settings, name.lower()) for name in whole
    ):
        said = "A project needs its address and both keys."
        left_out |= {name: left_out.get(name, said) for name in whole if name in drafted.tried}
    return Ready(tuple(sorted(drafted.tried - left_out.keys())), left_out)


def write(person: Person, typed: Draft, names: tuple[str, ...]) -> None:
    """Put these of the typed settings into `.env`; what runs goes on with the old ones until it is started again.

    Raises NotAllowed for anybody but an admin and in production, SettingsError when the file cannot be written.
    """
    only_admins(person, "write_settings")
    if get_settings().is_production:
        raise NotAllowed("Settings are not written from here in production. Nothing has changed.", code="NOT_LOCAL")
    values = {name: typed[name].strip() for name in names}
    as_admin(person, "note_settings_written", p_names=sorted(values))
    env_file.write(configuration.ENV_FILE, values)
