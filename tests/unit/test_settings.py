import os
import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

import core.settings
from core.errors import SettingsError
from core.settings import ENVIRONMENT_NAMES, LOCAL_APP_SECRET, Settings, get_settings, load

ROOT = Path(__file__).resolve().parents[2]
SECRET = "kF3nQ8vZ1pLw7xRb2" + "TsYc5HdJm9GaEuX40"
PRODUCTION = {
    "APP_ENV": "production",
    "APP_SECRET": SECRET,
    "SUPABASE_URL": "https://db.studio.test",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_Zx81kQpLm3",
    "SUPABASE_SECRET_KEY": "sb_secret_Hq72mWzTr9Yk",
    "FAL_KEY": "1b2c3d4e-aaaa-bbbb-cccc-1234567890ab:0f9e8d7c6b5a",
    "STRIPE_SECRET_KEY": "sk_live_51Kq8ZxWmTnR",
    "STRIPE_WEBHOOK_SECRET": "whsec_8fJkQ2mXzW71",
}


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    assert "\n" not in caught.value.sentence
    return caught.value.sentence


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = load({})
    assert (settings.app_env, settings.app_port, settings.companion_port) == ("local", 8501, 8600)
    assert settings.app_secret == LOCAL_APP_SECRET
    assert settings.welcome_credits == 20
    assert settings.public_url == settings.supabase_url == settings.fal_key == ""
    assert settings.fal_queue_url == "https://queue.fal.run"
    assert settings.fal_api_url == "https://api.fal.ai/v1"
    assert settings.fal_rest_url == "https://rest.fal.ai"
    assert settings.fal_jwks_url == "https://rest.fal.ai/.well-known/jwks.json"
    assert settings.fal_media_hosts == ("v3b.fal.media", "v3.fal.media", "fal.media")
    assert settings.simulated == ()


def test_values_are_read_and_tidied() -> None:
    settings = load(
        {
            "ADMIN_EMAILS": " Ada@Studio.test , bo@studio.test ,",
            "ATELIER_SIMULATED": "fal.ai, Stripe",
            "FAL_QUEUE_URL": "http://127.0.0.1:9000/",
            "STRIPE_WEBHOOK_SECRET": "whsec_one,whsec_two",
            "WELCOME_CREDITS": "0",
            "APP_PORT": "",
            "SOMETHING_ELSE": "ignored",
        }
    )
    assert settings.admin_emails == ("ada@studio.test", "bo@studio.test")
    assert settings.simulated == ("fal.ai", "Stripe")
    assert settings.fal_queue_url == "http://127.0.0.1:9000"
    assert settings.stripe_webhook_secrets == ("whsec_one", "whsec_two")
    assert (settings.welcome_credits, settings.app_port) == (0, 8501)


def test_the_object_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        load({}).app_port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_ENV", "staging"),
        ("APP_PORT", "0"),
        ("APP_PORT", "65536"),
        ("COMPANION_PORT", "eighty"),
        ("WELCOME_CREDITS", "-1"),
        ("WELCOME_CREDITS", "2.5"),
        ("WELCOME_CREDITS", "²"),
        ("PUBLIC_URL", "studio.test"),
        ("PUBLIC_URL", "ftp://studio.test"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://[::1"),
        ("FAL_QUEUE_URL", "https://user:pass@queue.fal.run"),
        ("FAL_KEY", "pasted\u00a0badly"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(name: str, value: str) -> None:
    assert name in refusal({name: value})


def test_a_refused_address_does_not_repeat_the_password_in_it() -> None:
    assert "hunter2" not in refusal({"ALERT_WEBHOOK_URL": "https://me:hunter2@hooks.test/x"})


def test_production_starts_with_real_secrets() -> None:
    settings = load(PRODUCTION)
    assert settings.is_production
    assert settings.app_secrets == (SECRET,)


@pytest.mark.parametrize(
    "name",
    ["APP_SECRET", "SUPABASE_URL", "SUPABASE_SECRET_KEY", "FAL_KEY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"],
)
def test_production_names_what_is_missing(name: str) -> None:
    assert f"{name} is missing" in refusal({**PRODUCTION, name: ""})
    assert f"{name} is missing" in refusal({key: value for key, value in PRODUCTION.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value", "flaw"),
    [
        ("APP_SECRET", LOCAL_APP_SECRET, "default"),
        ("APP_SECRET", "change-me-change-me-change-me-change-me", "default"),
        ("APP_SECRET", SECRET[:31], "too short"),
        ("APP_SECRET", f"{SECRET},short", "too short"),
        ("APP_SECRET", "ab" * 20, "too simple"),
        ("APP_SECRET", " , ", "missing"),
        ("FAL_KEY", "your-fal-key-goes-here", "default"),
        ("FAL_ADMIN_KEY", "id:secret", "too short"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_8fJkQ2mXzW71,whsec_x", "too short"),
        ("FAL_QUEUE_URL", "http://queue.fal.run", "https://"),
        ("PUBLIC_URL", "http://studio.test", "https://"),
        ("SUPABASE_URL", "http://db.studio.test", "https://"),
        ("SUPABASE_URL", "http://9.9.9.9:8000", "https://"),
        ("ALERT_WEBHOOK_URL", "http://hooks.studio.test/T/B/zzz", "https://"),
    ],
)
def test_production_refuses_weak_values_without_repeating_them(name: str, value: str, flaw: str) -> None:
    sentence = refusal({**PRODUCTION, name: value})
    assert name in sentence
    assert flaw in sentence
    if name != "PUBLIC_URL":
        assert value not in sentence


@pytest.mark.parametrize("value", ["", "0123456", "change-me-please-change-me-please-now", "ab" * 20, "x" * 40])
@pytest.mark.parametrize(
    "name", sorted(name for name in ENVIRONMENT_NAMES if re.search(r"SECRET|_KEY$|TOKEN", name) and name in PRODUCTION)
)
def test_every_secret_that_production_needs_is_looked_at(name: str, value: str) -> None:
    assert name in refusal({**PRODUCTION, name: value})


@pytest.mark.parametrize("name", ["FAL_ADMIN_KEY", "METRICS_TOKEN"])
def test_a_secret_that_may_be_missing_may_not_be_weak(name: str) -> None:
    assert load({**PRODUCTION, name: ""}).is_production
    assert name in refusal({**PRODUCTION, name: "0123456"})


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000", "http://kong:8000", "http://10.0.0.7:8000"])
def test_a_supabase_of_ones_own_may_be_near(address: str) -> None:
    assert load({**PRODUCTION, "SUPABASE_URL": address}).supabase_url == address


def test_production_names_everything_at_once() -> None:
    sentence = refusal({"APP_ENV": "production"})
    assert all(name in sentence for name in ("APP_SECRET", "FAL_KEY", "SUPABASE_URL", "STRIPE_SECRET_KEY"))


def test_production_may_talk_to_simulators_on_loopback() -> None:
    assert load({**PRODUCTION, "FAL_QUEUE_URL": "http://127.0.0.1:8620"}).fal_queue_url == "http://127.0.0.1:8620"


def test_repr_shows_no_secret() -> None:
    environ = {
        **PRODUCTION,
        "FAL_ADMIN_KEY": "admin-key-0123456789:abcdef",
        "ALERT_WEBHOOK_URL": "https://hooks.test/T/B/zzz",
    }
    settings = load(environ)
    shown = f"{settings!r} {settings}"
    assert "https://queue.fal.run" in shown
    for secret in settings.secrets:
        assert secret not in shown
    assert set(settings.secrets) >= {SECRET, environ["FAL_KEY"], environ["FAL_ADMIN_KEY"], environ["ALERT_WEBHOOK_URL"]}


def test_every_name_that_sounds_secret_is_hidden() -> None:
    shown = {setting.name for setting in fields(Settings) if setting.repr}
    assert not [name for name in shown if re.search("secret|_key$|token|password", name)]


def test_the_environment_wins_over_the_file_and_both_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text("APP_PORT=9001\nCOMPANION_PORT=9002\nFAL_KEY='id:${HOME}'\n")
    monkeypatch.setattr(core.settings, "ENV_FILE", file)
    monkeypatch.setattr(os, "environ", {"APP_PORT": "9100"})
    get_settings.cache_clear()
    try:
        settings = get_settings()
        assert (settings.app_port, settings.companion_port, settings.fal_key) == (9100, 9002, "id:${HOME}")
        assert get_settings() is settings
    finally:
        get_settings.cache_clear()


def test_every_setting_is_documented() -> None:
    documented = re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    # Written by the local supervisor, not by people.
    ours = set(ENVIRONMENT_NAMES) - {"ATELIER_SIMULATED"}
    assert ours <= set(documented), f"not in .env.example: {sorted(ours - set(documented))}"
    others = {name for name in documented if name not in ENVIRONMENT_NAMES and not name.startswith("LOCAL_")}
    assert not others, f"in .env.example, but read by nobody: {sorted(others)}"
