"""Files up to fal.ai's own storage: two steps, as in fal.ai's documentation, "File uploads". Nothing here is billed."""

from typing import Any, Final

import httpx

from core.errors import InvalidInput
from core.fal.client import authorization, new_http, read_json, refusal, send, unavailable
from core.settings import Settings

MAX_BYTES: Final = 100_000_000
UPLOAD_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0, pool=5.0)


def upload(
    settings: Settings, data: bytes, file_name: str, content_type: str, *, http: httpx.Client | None = None
) -> str:
    """Stores the bytes and returns the address that models can fetch them from; whoever knows it can read them.

    Raises InvalidInput (too large), FalRefused, FalBusy or FalUnavailable.
    """
    if len(data) >= MAX_BYTES:
        raise InvalidInput("This file is too large, 100 MB at most. Choose a smaller one.", field="file")
    if http is None:
        with new_http() as own:
            return upload(settings, data, file_name, content_type, http=own)
    asked = http.build_request(
        "POST",
        f"{settings.fal_rest_url}/storage/upload/initiate",
        params={"storage_type": "fal-cdn-v3"},
        json={"file_name": file_name, "content_type": content_type},
        headers=authorization(settings.fal_key),
    )
    response = send(http, asked, "read")
    if not response.is_success:
        raise refusal(response, "read")
    body, secure = read_json(response), settings.fal_rest_url.startswith("https://")
    upload_url, file_url = _address(body, "upload_url", secure), _address(body, "file_url", secure)
    # The address to put to is signed already: the key stays here.
    put = http.build_request(
        "PUT", upload_url, content=data, headers={"Content-Type": content_type}, timeout=UPLOAD_TIMEOUT
    )
    stored = send(http, put, "read")
    if not stored.is_success:
        raise unavailable(f"HTTP {stored.status_code} from the upload address", status=stored.status_code)
    return file_url


def _address(body: Any, name: str, secure: bool) -> str:
    """An address that fal.ai gave us: over TLS, unless fal.ai itself is configured without."""
    value = body.get(name) if isinstance(body, dict) else None
    schemes = ("https://",) if secure else ("https://", "http://")
    if not isinstance(value, str) or not value.startswith(schemes) or len(value) > 4000:
        raise unavailable(f"no {name}")
    return value
