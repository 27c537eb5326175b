"""Products and prices: the three packs are there from the start, a client may add more."""

import re
from typing import Any

from local.stripe import forms, objects
from local.stripe.failures import ApiError, invalid, missing, no_such, unknown
from local.stripe.store import Store, Thing

PACKS = ((100, 1900), (500, 7900), (1000, 13900))  # credits, cents
_PRODUCT_PARAMS = {"id", "name", "description", "metadata", "active", "expand"}
_PRICE_PARAMS = {
    *(
        "product",
        "unit_amount",
        "currency",
        "lookup_key",
        "transfer_lookup_key",
        "tax_behavior",
        "metadata",
        "nickname",
    ),
    *("active", "expand"),
}


class Catalogue:
    def __init__(self, store: Store) -> None:
        self._store = store

    def stock(self) -> None:
        """Put the packs on the shelf that are not there: `price_credits_100` for €19 and so on."""
        for credits, cents in PACKS:
            product_id = f"prod_credits_{credits}"
            if self._store.find("product", product_id) is None:
                self._store.save(objects.product(product_id, f"{credits} credits", {"pack": f"credits_{credits}"}))
            if self._store.find("price", f"price_credits_{credits}") is None:
                self._store.save(objects.price(f"price_credits_{credits}", product_id, cents, "eur"))

    def create_product(self, params: dict[str, Any]) -> Thing:
        _only(params, _PRODUCT_PARAMS)
        if not params.get("name"):
            raise missing("name")
        product_id = params.get("id") or objects.new_id("prod", 14)
        if self._store.find("product", product_id):
            raise ApiError(400, f"Product already exists: {product_id}", code="resource_already_exists", param="id")
        made = objects.product(product_id, params["name"], forms.texts(params, "metadata"), params.get("description"))
        return self._store.save(made)

    def create_price(self, params: dict[str, Any]) -> Thing:
        _only(params, _PRICE_PARAMS)
        for name in ("currency", "product", "unit_amount"):
            if name not in params:
                raise missing(name)
        if self._store.find("product", params["product"]) is None:
            raise no_such("product", params["product"], "product")
        if not re.fullmatch(r"[a-z]{3}", params["currency"]):
            raise invalid(f"Invalid currency: {params['currency']}", "currency")
        with self._store.transaction():
            lookup_key = params.get("lookup_key")
            for other in self._store.all("price", lookup_key=lookup_key) if lookup_key else []:
                if not forms.flag(params, "transfer_lookup_key", False):
                    raise invalid(
                        f"A price (`{other['id']}`) already uses that lookup key.",
                        "lookup_key",
                        "resource_already_exists",
                    )
                self._store.save(other | {"lookup_key": None})
            amount = forms.whole_number(params, "unit_amount", minimum=0) or 0
            made = objects.price(
                objects.new_id("price"),
                params["product"],
                amount,
                params["currency"],
                lookup_key=lookup_key,
                metadata=forms.texts(params, "metadata"),
                nickname=params.get("nickname"),
                tax_behavior=params.get("tax_behavior", "unspecified"),
            )
            return self._store.save(made)

    def update_price(self, price_id: str, params: dict[str, Any]) -> Thing:
        _only(params, {"active", "metadata", "nickname", "expand"})
        known = self._store.find("price", price_id)
        if known is None:
            raise no_such("price", price_id)
        known["active"] = forms.flag(params, "active", known["active"])
        known["metadata"] |= forms.texts(params, "metadata")
        return self._store.save(known)

    def prices(self, params: dict[str, Any]) -> list[Thing]:
        """Newest first, by `lookup_keys`, `active` and `product`."""
        wanted = params.get("lookup_keys")
        active = forms.flag(params, "active", True) if "active" in params else None
        return [
            known
            for known in self._store.all("price")
            if (wanted is None or known["lookup_key"] in wanted)
            and (active is None or known["active"] == active)
            and params.get("product") in (None, known["product"])
        ]


def _only(params: dict[str, Any], known: set[str]) -> None:
    for name in params:
        if name not in known:
            raise unknown(name)
