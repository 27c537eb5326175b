"""Stripe's form encoding: `line_items[0][price]=price_1&metadata[pack]=x` is a tree of maps, lists and texts."""

import re
from collections.abc import Iterable
from typing import Any

from local.stripe.failures import ApiError, invalid

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")
_DEEPEST = 8


def decode(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The tree of these pairs. Raises ApiError for a key that is not well formed."""
    tree: dict[str, Any] = {}
    for key, value in pairs:
        found = _KEY.fullmatch(key)
        parts = [found[1], *_PART.findall(found[2])] if found else []
        if not parts or len(parts) > _DEEPEST:
            raise ApiError(400, f"Invalid parameter: {key[:80]}", param=key[:80])
        _put(tree, parts, value, key)
    return {name: _with_lists(branch) for name, branch in tree.items()}


def _put(tree: dict[str, Any], parts: list[str], value: str, key: str) -> None:
    *path, last = parts
    for part in path:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise invalid(f"Invalid parameter: {key[:80]}", key[:80])
    tree[last if last else str(len(tree))] = value


def _with_lists(branch: Any) -> Any:
    """Maps whose keys count from 0 are lists."""
    if not isinstance(branch, dict):
        return branch
    grown = {name: _with_lists(part) for name, part in branch.items()}
    if grown and list(grown) == [str(number) for number in range(len(grown))]:
        return list(grown.values())
    return grown


def whole_number(params: dict[str, Any], name: str, *, minimum: int) -> int | None:
    """An integer parameter; None when it is not there. Raises ApiError."""
    text = params.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or not re.fullmatch(r"-?[0-9]{1,12}", text):
        raise invalid(f"Invalid integer: {text}", name, "parameter_invalid_integer")
    if int(text) < minimum:
        raise invalid(f"This value must be greater than or equal to {minimum}.", name, "parameter_invalid_integer")
    return int(text)


def flag(params: dict[str, Any], name: str, default: bool) -> bool:
    """A boolean parameter. Raises ApiError."""
    text = params.get(name)
    if text is None:
        return default
    if text not in ("true", "false"):
        raise invalid(f"Invalid boolean: {text}", name)
    return bool(text == "true")


def texts(params: dict[str, Any], name: str) -> dict[str, str]:
    """A map of texts such as metadata. Raises ApiError."""
    found = params.get(name) or {}
    if not isinstance(found, dict) or any(not isinstance(value, str) for value in found.values()):
        raise invalid(f"Invalid {name}: must be a map of texts", name)
    return dict(found)
