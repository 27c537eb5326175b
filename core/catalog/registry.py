"""All generation types by key, in the order of the menu. A new type is one entry in the module of its media."""

from typing import Final

from core.catalog.images import IMAGES
from core.catalog.models3d import MODELS_3D
from core.catalog.types import GenerationType
from core.catalog.videos import VIDEOS
from core.catalog.voices import VOICES_AND_SOUNDS

GENERATION_TYPES: Final[dict[str, GenerationType]] = {
    entry.key: entry for entry in (*IMAGES, *VIDEOS, *VOICES_AND_SOUNDS, *MODELS_3D)
}
