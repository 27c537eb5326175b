"""No float between a price and the screen: charts alone draw floats, and the wire carries amounts as text."""

import ast
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "core"
MONEY = (
    "alerts", "billing", "budget", "burn_down", "fal_account", "forecast", "limits", "periods", "prices", "series",
    "spend", "fal/platform", "catalog/pricing",
)  # fmt: skip


@pytest.mark.parametrize("name", MONEY)
def test_no_float_in(name: str) -> None:
    tree = ast.parse((CORE / f"{name}.py").read_text(encoding="utf-8"))
    floats = [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
    ]
    assert floats == []
