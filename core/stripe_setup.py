"""Creates the products and prices of our packs in a Stripe account and prints the settings that name them.

    python -m core.stripe_setup

Needs STRIPE_SECRET_KEY, and Supabase with its migrations, where the packs are. Running it again creates nothing that
is there already; after a pack's price has changed it makes a new Price, moves the lookup key to it and retires the old
one.
"""

import sys

import stripe

from core.errors import AtelierError, DatabaseUnavailable
from core.packs import Pack, packs
from core.settings import WITHOUT_DATABASE, get_settings
from core.stripe_api import get_client, translated
from core.stripe_events import EVENT_TYPES


def ensure_price(client: stripe.StripeClient, pack: Pack) -> str:
    """The id of the active Price of a pack, made with its product if need be.

    Raises PaymentsRefused, PaymentsUnavailable.
    """
    lookup_key = f"atelier_{pack.key}"
    with translated("stripe_setup"):
        known = client.v1.prices.list({"lookup_keys": [lookup_key], "active": True, "limit": 1}).data
        if known and (known[0].unit_amount, known[0].currency) == (pack.amount_cents, pack.currency):
            return known[0].id
        price = client.v1.prices.create(
            {
                "product": _ensure_product(client, pack),
                "unit_amount": pack.amount_cents,
                "currency": pack.currency,
                "lookup_key": lookup_key,
                "transfer_lookup_key": True,
                "tax_behavior": "inclusive",
            }
        )
        for old in known:
            client.v1.prices.update(old.id, {"active": False})
    return price.id


def _ensure_product(client: stripe.StripeClient, pack: Pack) -> str:
    product_id = f"atelier_{pack.key}"
    try:
        return client.v1.products.retrieve(product_id).id
    except stripe.InvalidRequestError as error:
        if error.http_status != 404:
            raise
    made = client.v1.products.create(
        {"id": product_id, "name": f"{pack.credits} credits", "metadata": {"pack": pack.key}}
    )
    return made.id


def main() -> None:
    """Make the prices and print the settings that name them. Raises what `ensure_price` does, DatabaseUnavailable."""
    client, settings = get_client(), get_settings()
    if not (settings.supabase_url and settings.supabase_secret_key):
        raise DatabaseUnavailable(f"The packs are in the database. {WITHOUT_DATABASE} Nothing was made at Stripe.")
    for pack in packs():
        print(f"STRIPE_PRICE_{pack.key.upper()}={ensure_price(client, pack)}")
    print("# Webhook endpoint: <PUBLIC_URL>/webhooks/stripe with these events, its secret as STRIPE_WEBHOOK_SECRET:")
    print(f"# {', '.join(EVENT_TYPES)}")


if __name__ == "__main__":
    try:
        main()
    except AtelierError as error:
        sys.exit(f"{error.sentence} {error.detail or ''}".strip())
