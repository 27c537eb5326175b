"""fal.ai's reasons in words for the person who pressed the button: what happened, what it cost, what to do.

Error types: fal.ai's documentation, "Errors". Their texts change; the types are stable, so the type decides and the
text is used for what only the text tells (the reason of a lock, the field that was refused).
"""

import re
from typing import Final

NOTHING_CHARGED: Final = "Nothing was charged and your credits are back."

# The infrastructure around the models, with the HTTP status it stands for. Statuses of 500 and more are never billed.
INFRASTRUCTURE: Final[dict[str, int]] = {
    "request_timeout": 504,
    "startup_timeout": 504,
    "generation_timeout": 504,
    "runner_scheduling_failure": 503,
    "runner_connection_timeout": 503,
    "runner_disconnected": 503,
    "runner_connection_refused": 503,
    "runner_connection_error": 503,
    "runner_incomplete_response": 502,
    "runner_server_error": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "client_disconnected": 499,
    "client_cancelled": 499,
    "bad_request": 400,
}

_BUSY = ("fal.ai could not start this in time.", "Try again in a few minutes.")
_BROKEN = ("Something broke at fal.ai while this was being made.", "Try again.")
_PLAIN: Final[dict[str, tuple[str, str]]] = {
    "content_policy_violation": (
        "fal.ai refused this prompt. It may show a real person, a brand or something that is not allowed.",
        "Change the prompt or the picture and try again.",
    ),
    "no_media_generated": ("fal.ai finished without making anything.", "Change the prompt a little and try again."),
    "payload_error": ("fal.ai finished, but its answer could not be read.", "Try again."),
    "result_expired": ("fal.ai no longer has the result of this job.", "Generate it again."),
    "image_too_small": ("The picture is too small for this type.", "Use a larger picture and try again."),
    "image_too_large": ("The picture is too large for this type.", "Use a smaller picture and try again."),
    "image_load_error": ("fal.ai could not open the picture.", "Upload it again as PNG or JPEG."),
    "audio_duration_too_long": ("The recording is too long for this type.", "Use a shorter recording and try again."),
    "audio_duration_too_short": ("The recording is too short for this type.", "Use a longer recording and try again."),
    "unsupported_image_format": ("fal.ai cannot read this kind of picture.", "Upload it as PNG or JPEG."),
    "unsupported_audio_format": ("fal.ai cannot read this kind of recording.", "Upload it as MP3 or WAV."),
    "unsupported_video_format": ("fal.ai cannot read this kind of video.", "Upload it as MP4."),
    "face_detection_error": ("fal.ai found no face in the picture.", "Use a picture that shows one clearly."),
    "file_download_error": ("fal.ai could not fetch your file.", "Upload it again and try once more."),
    "file_too_large": ("Your file is too large for this type.", "Use a smaller file and try again."),
    "request_timeout": _BUSY,
    "startup_timeout": _BUSY,
    "generation_timeout": ("This took longer than fal.ai allows.", "Try again, or ask for something simpler."),
    "downstream_service_error": ("The service behind this type did not answer fal.ai.", "Try again in a few minutes."),
    "downstream_service_unavailable": ("The service behind this type is down.", "Try again later."),
    "client_cancelled": ("This was cancelled.", "Generate it again whenever you like."),
    "client_disconnected": ("The connection to fal.ai broke.", "Try again."),
    "submit_unconfirmed": (
        "fal.ai never confirmed that it received this, and nothing has come back since.",
        "Generate it again. If it arrives after all, you get it free.",
    ),
    "bad_key": ("fal.ai did not accept the team's key.", "Ask an admin to check it."),
    "not_found": ("fal.ai does not know this type.", "Choose another type, or ask an admin."),
    "busy": ("fal.ai is busy.", "Try again in a few minutes."),
}
_LOCKED = re.compile(r"user is locked|user budget is exceeded|exhausted balance|account is locked", re.IGNORECASE)
_LOCK_REASON = re.compile(r"user is locked\.?\s*(?:reason:\s*)?(.*)", re.IGNORECASE | re.DOTALL)


def is_lock(message: str) -> bool:
    """Whether fal.ai speaks of the account being locked."""
    return bool(_LOCKED.search(message))


def lock_reason(message: str) -> str:
    """The reason in `User is locked. Reason: Exhausted balance. Top up …`, else the whole message."""
    found = _LOCK_REASON.search(message)
    return (found[1] if found else message).strip() or "fal.ai gave no reason"


def plain_words(error_type: str, message: str = "") -> str:
    """What happened, what it cost, what to do. It always costs nothing: a job that fails gives its credits back."""
    if error_type == "account_locked" or is_lock(message):
        reason = _sentence(lock_reason(message))
        return (
            f"fal.ai has locked the team's account: {reason} {NOTHING_CHARGED} Ask an admin to settle it with fal.ai."
        )
    if error_type in _PLAIN:
        happened, to_do = _PLAIN[error_type]
    elif INFRASTRUCTURE.get(error_type, 0) >= 500:
        happened, to_do = _BROKEN
    elif message:
        happened, to_do = f"fal.ai could not make this: {_sentence(message)}", "Change the inputs and try again."
    else:
        happened, to_do = "fal.ai could not make this and gave no reason.", "Try again."
    return f"{happened} {NOTHING_CHARGED} {to_do}"


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
