"""What can be a password here, asked before Supabase is: a link from a mail is used up by asking it."""

from typing import Final

from core.errors import SignInRefused

SHORTEST: Final = 10  # characters: `minimum_password_length` in supabase/config.toml
LONGEST: Final = 72  # bytes: bcrypt, which Supabase keeps passwords with, reads no further


def check(password: str) -> None:
    """Raises SignInRefused WEAK_PASSWORD or LONG_PASSWORD."""
    if len(password) < SHORTEST:
        raise SignInRefused(f"Choose a password of at least {SHORTEST} characters.", code="WEAK_PASSWORD")
    if len(password.encode("utf-8", "replace")) > LONGEST:
        raise SignInRefused(f"Choose a password of at most {LONGEST} characters.", code="LONG_PASSWORD")
