"""The fal.ai account as the chores see it: one client of the platform API, and its refusals in plain words."""

from functools import lru_cache

from core.errors import FalBusy, FalError, FalUnauthorized
from core.fal.platform import FalPlatform
from core.settings import get_settings

ADMIN_KEY = "FAL_ADMIN_KEY"


@lru_cache(maxsize=1)
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
