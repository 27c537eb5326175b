"""Whom an address stands for when tries are counted, and what can be the email of an account."""

import pytest

from core.attempts import is_email, network


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a unix socket" + "x" * 100, ("a unix socket" + "x" * 100)[:64]),
    ],
)
def test_an_address_counts_for_its_network(address: str, counted: str) -> None:
    assert network(address) == counted


@pytest.mark.parametrize(
    ("text", "may_be"),
    [
        ("jonas@atelier.example", True),
        ("o'neil+studio@mail.atelier.example", True),
        ("jonas@localhost", True),
        ("jonas\u200b@atelier.example", False),  # looks like Jonas in the list of those who wait
        ("jon\u0430s@atelier.example", False),  # a Cyrillic a
        ("\uff4aonas@atelier.example", False),  # full width
        ("jonas@atelier\u3002example", False),
        ("jonas@atelier.example\x00", False),
        ("jonas@atelier.example\r\nBcc: x", False),
        ("jonas doe@atelier.example", False),
        ("a@b@c.example", False),
        ("jonas", False),
        ("", False),
        (f"{'x' * 64}@{'y' * 189}", True),
        (f"{'x' * 65}@y.example", False),
        (f"x@{'y' * 254}", False),
    ],
)
def test_an_email_is_what_it_looks_like(text: str, may_be: bool) -> None:
    assert is_email(text) is may_be
