"""Whose an address is, however it is written."""

import pytest

from core import media_hosts
from core.media_hosts import is_media_host, may_be_input
from core.settings import load


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load({"FAL_MEDIA_HOSTS": "v3.fal.media,127.0.0.1:8620,cdn.studio.test:8443"})
    monkeypatch.setattr(media_hosts, "get_settings", lambda: settings)


@pytest.mark.parametrize(
    "url",
    [
        "https://v3.fal.media/files/a/b.png",
        "https://V3.FAL.MEDIA/a.png",
        "https://v3.fal.media:443/a.png",
        "http://127.0.0.1:8620/files/a.png",
        "https://cdn.studio.test:8443/a.png",
    ],
)
def test_what_is_fetched_is_on_a_media_host(url: str) -> None:
    assert is_media_host(url)
    assert may_be_input(url)


DISGUISES = [
    "https://v3.fal.media@evil.test/a.png",
    "https://evil.test#v3.fal.media",
    "https://evil.test?v3.fal.media",
    "https://evil.test/v3.fal.media",
    "https://v3.fal.media.evil.test/a.png",
    "https://evil-v3.fal.media.test/a.png",
    "https://v3.fal.media:8443/a.png",
    "https://v3.fal.media:99999/a.png",
    "http://v3.fal.media/a.png",
    "http://127.0.0.1:8621/a.png",
    "https://127.0.0.1/a.png",
    "http://cdn.studio.test/a.png",
]
INNER = [
    "http://127.0.0.1/a.png",
    "http://127.1/a.png",
    "http://2130706433/a.png",
    "http://0x7f.1/a.png",
    "http://0x7f000001/a.png",
    "http://localhost:8600/health",
    "http://LOCALHOST./a.png",
    "http://[::1]/a.png",
    "http://[::ffff:127.0.0.1]/a.png",
    "http://[fe80::1]/a.png",
    "http://169.254.169.254/latest/meta-data/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://10.0.0.1/a.png",
    "http://192.168.0.1/a.png",
    "http://172.16.0.1/a.png",
    "http://100.64.0.1/a.png",
    "http://0.0.0.0/a.png",
    "http://db/a.png",
    "http://printer.local/a.png",
]
NONSENSE = [
    "",
    "v3.fal.media/a.png",
    "//v3.fal.media/a.png",
    "file:///etc/passwd",
    "ftp://v3.fal.media/a.png",
    "gopher://v3.fal.media/",
    "data:image/png;base64,AAAA",
    "https://",
    "https://[",
    "https://user:pass@v3.fal.media/a.png",
    "https://v3.fal.media\\@evil.test/a.png",
    "https://evil.test\\@v3.fal.media/a.png",
    "https://v3.fal.media\t.evil.test/a.png",
    "https://v3.fal.media/a.png\r\nHost: evil.test",
    "https://v3.fal.media\u3002evil.test/a.png",
]


@pytest.mark.parametrize("url", [*DISGUISES, *INNER, *NONSENSE])
def test_nothing_else_is_fetched(url: str) -> None:
    assert not is_media_host(url)


@pytest.mark.parametrize("url", [*INNER, *NONSENSE])
def test_fal_is_not_sent_into_anybodys_network(url: str) -> None:
    assert not may_be_input(url)


@pytest.mark.parametrize("url", ["https://pictures.example/a.png", "http://93.184.215.14/a.png"])
def test_fal_may_fetch_from_the_open_internet(url: str) -> None:
    assert may_be_input(url)
    assert not is_media_host(url)
