"""Whom an address stands for when tries are counted."""

import pytest

from core.attempts import network


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
