"""Throttling of who tries to get in: per account and per address, in the database, so that every process counts alike.

Within 15 minutes 10 refused sign-ins of an account and 50 of an address; 5 sign-ups or requests for a new password of
an account, 5 uses of a link from a mail, and 100 of an address. An account waits whether it exists or not, so waiting
tells nothing.
"""

import hashlib
import re
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal

from core.database import get_database
from core.errors import DatabaseError, SignInRefused

TOO_MANY: Final = "Too many tries. Wait a quarter of an hour and try again."
# As Supabase takes them. Nothing that cannot be seen, and no letter of another script that looks like ours: an admin
# approves people by their address.
_ADDRESS: Final = re.compile(r"[!-?A-~]{1,64}@[!-?A-~]{1,189}")
_PREFIX: Final = 64  # bits of an IPv6 address: what one connection gets, with all the addresses in it

Kind = Literal["sign_in", "sign_up", "reset", "link"]


def is_email(text: str) -> bool:
    """Whether this could be the email of an account: ASCII that can be seen, one @ in it, 254 characters at most."""
    return _ADDRESS.fullmatch(text) is not None


def begin(kind: Kind, email: str, address: str) -> int:
    """Count a try before it is made; its number. Of a link, which names nobody, its token counts in place of an email.

    Raises SignInRefused TOO_MANY, DatabaseUnavailable.
    """
    account = hashlib.sha256(f"sign-in:{email}".encode("utf-8", "replace")).hexdigest()
    attempt = get_database().call("begin_attempt", p_kind=kind, p_email_hash=account, p_address=network(address))
    if attempt is None:
        raise SignInRefused(TOO_MANY, code="TOO_MANY")
    return int(attempt)


def succeed(attempt: int) -> None:
    """It was the right password: what was refused before is forgiven."""
    get_database().call("end_attempt", p_attempt=attempt, p_succeeded=True)


def withdraw(attempt: int) -> None:
    """It could not be decided, which does not count against anybody."""
    with suppress(DatabaseError):
        get_database().call("end_attempt", p_attempt=attempt, p_succeeded=False)


def network(address: str) -> str:
    """Whom an address stands for: itself, or all of the network that an IPv6 connection may choose its address from."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        first = int(parsed) >> (128 - _PREFIX) << (128 - _PREFIX)
        return f"{IPv6Address(first)}/{_PREFIX}"
    return str(parsed)
