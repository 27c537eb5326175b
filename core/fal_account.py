"""The fal.ai account: one client of the platform API, its refusals in plain words, and which account is ours."""

from core.database import get_database
from core.errors import FalBusy, FalError, FalUnauthorized
from core.fal.platform import FalPlatform
from core.models import Person
from core.once import Once
from core.settings import get_settings

ADMIN_KEY = "FAL_ADMIN_KEY"


@Once
def get_account() -> FalPlatform:
    """The process's own client, from its settings."""
    return FalPlatform(get_settings())


def in_plain_words(error: FalError, key_name: str = ADMIN_KEY) -> str:
    """What went wrong when the account was read, and what to do about it; `key_name` is the setting that was used."""
    if isinstance(error, FalUnauthorized) and error.status == 403:
        return (
            f"{key_name} is an ordinary key. fal.ai tells balance and billing only to a key with admin scope: "
            "make one at fal.ai/dashboard/keys."
        )
    if isinstance(error, FalUnauthorized) and error.status == 401:
        return f"fal.ai does not accept the key in {key_name}. It may be mistyped or revoked."
    if isinstance(error, FalBusy):
        return "fal.ai asks to be asked less often (429). It is asked again later; nothing is lost."
    return error.sentence


def pinned(person: Person) -> str | None:
    """The account whose webhooks are taken: of the first verified call about a job of ours. Raises NotAllowed."""
    found: str | None = get_database().call("fal_account", p_actor=person.user_id)
    return found


def forget(person: Person, account: str) -> bool:
    """Let go of the pinned account, so that the next verified call about a job of ours pins its own: for a key of
    another account. False when this one is not pinned (any more). Raises NotAllowed."""
    return bool(get_database().call("forget_fal_account", p_actor=person.user_id, p_account=account))
