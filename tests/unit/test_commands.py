"""Commands for operators, run where the settings are not: a sentence instead of a traceback."""

import pytest

from core import rebuild, stripe_setup
from core.errors import DatabaseUnavailable
from core.settings import load


def test_the_rollup_is_not_rebuilt_without_a_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rebuild, "get_settings", lambda: load({}))
    assert rebuild.main() == 2
    assert capsys.readouterr().err == "SUPABASE_URL and SUPABASE_SECRET_KEY are not set here. Nothing was changed.\n"


def test_no_price_is_made_without_the_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load({"STRIPE_SECRET_KEY": "sk_test_" + "51Kq8ZxWmTnR"})
    monkeypatch.setattr(stripe_setup, "get_client", lambda: None)
    monkeypatch.setattr(stripe_setup, "get_settings", lambda: settings)
    with pytest.raises(DatabaseUnavailable, match="Nothing was made at Stripe"):
        stripe_setup.main()
