"""Colours for a picture: a few curated sets, steered by the colour and mood words of the prompt."""

import re
from dataclasses import dataclass, replace

import numpy as np

from local.fal.paint.canvas import Array, Rng, mix


def rgb(code: str) -> Array:
    """`"cf5038"` as sRGB 0 to 1."""
    return np.array([int(code[place : place + 2], 16) / 255 for place in (0, 2, 4)], np.float32)


@dataclass(frozen=True, slots=True)
class Palette:
    """`paper` is the ground, `deep` the darkest tone, `accents` three or more in order of importance."""

    paper: Array
    deep: Array
    accents: tuple[Array, ...]
    night: bool = False

    @property
    def floor(self) -> Array:
        return mix(self.paper, self.accents[-1] if self.night else rgb("b98a5e"), 0.28)


@dataclass(frozen=True, slots=True)
class Scenery:
    """`sky` from the top to the horizon, `layers` from far to near."""

    sky: tuple[Array, ...]
    layers: tuple[Array, ...]
    sun: Array


def _palette(paper: str, deep: str, accents: str, night: bool = False) -> Palette:
    return Palette(rgb(paper), rgb(deep), tuple(map(rgb, accents.split())), night)


_CURATED = {
    "kiln": _palette("efe6d8", "17182b", "cf5038 2a3bbd e0a23a 8a4a34"),
    "cobalt": _palette("f2eadb", "171c4a", "2f43d0 e8876b b9c0ee f3c9a9"),
    "sage": _palette("dde6e1", "17352f", "1f6e58 e6d9c6 9db8a9 c98a5b"),
    "citrus": _palette("fbe7bd", "5b2340", "eaa64c dd6a4c f6cf7a 8e3552"),
    "blush": _palette("f5e3da", "4a2238", "d8788a e9ab95 8c3558 f0cdb8"),
    "plum": _palette("f0ddd2", "2c1233", "8a2f5f e07a6a 4b1d4d f0b7a0"),
    "dusk": _palette("3a3f66", "1c1f38", "e9d2b4 c76a4f 7f86c9 5a5f96", night=True),
    "midnight": _palette("1c2142", "0f1226", "e6b88a c8553d f1e4cb 4a5cc4", night=True),
    "olive": _palette("eee9d6", "2c3020", "7d8347 c9a24b b5563a 4d5a3a"),
    "sea": _palette("e3eef0", "12323f", "1f7a8c e9b872 8fc1c5 d9694f"),
    "stone": _palette("e9e5df", "26262b", "8c8279 c8b9a6 4c4a4e b0674a"),
    "lilac": _palette("ece6f2", "2a2048", "7a68c4 c9a3d6 f0b6a4 4a3f93"),
}

_COLOUR_WORDS = {
    "terracotta": "c4573a", "rust": "a9482c", "brick": "a8442f", "red": "c8402f", "scarlet": "c9302b",
    "crimson": "a8243a", "burgundy": "6d1f36", "wine": "6d2138", "coral": "e8836a", "salmon": "eb937c",
    "orange": "e07f35", "apricot": "f0b07c", "peach": "f3b995", "amber": "dd952c", "ochre": "d19a3a",
    "mustard": "d3a02f", "gold": "d8ab4b", "golden": "d8ab4b", "honey": "dfa545", "yellow": "ecc24e",
    "lemon": "f0d564", "citrus": "eaa64c", "olive": "7d8347", "sage": "8fae99", "mint": "a9d3bd",
    "green": "3f8a5c", "emerald": "1f7a5a", "forest": "2c5b45", "jade": "3b9079", "teal": "1f7a80",
    "turquoise": "3aa6a6", "aqua": "6cc0c4", "blue": "2f55c4", "cobalt": "2a3bbd", "azure": "4a86d8",
    "navy": "1d2a57", "indigo": "3a3a98", "sky": "9cc3e0", "lavender": "a79bd8", "lilac": "b9a3d6",
    "purple": "6f459c", "violet": "6a4bb5", "plum": "6e2a57", "magenta": "b83a80", "pink": "e58fa6",
    "rose": "d6708a", "blush": "efb9ad", "brown": "7a4e35", "chocolate": "5a3626", "copper": "b8693f",
    "bronze": "9a6a3c", "caramel": "c08147", "cinnamon": "a35a35",
    "cream": "f2e6cf", "ivory": "f3ecdc", "linen": "ece0cc", "sand": "dcc39a", "beige": "e0cfb3",
    "white": "f4f1ea", "porcelain": "eee4d6", "pearl": "ece6df", "silver": "c3c6cb", "grey": "8d8f96",
    "gray": "8d8f96", "charcoal": "3a3b42", "black": "1c1c22", "marble": "e6e3dd", "stone": "b3a99b",
}  # fmt: skip
_NIGHT_WORDS = ("night", "midnight", "dark", "moon", "dusk", "noir", "studio")

_SCENERIES = {
    "dawn": ("f0bd98 f6d3b3 faead2", "e79b72 d07a56 a9533f 783640 47222f", "fff1d8"),
    "mist": ("18233f 4a5f88 8ea2bf", "9db0c6 7590b0 4d6b93 294468 14243f", "fde3c4"),
    "spring": ("b4d7d3 d7e6d6 f4efdb", "bfd29b 8fb57a 5d9164 37694f 1f443b", "fff3dc"),
    "sunset": ("33234f 9a4d6b f0a077", "b6607a 8a3f67 5f2a55 3b1a40 200f2a", "ffd9a6"),
    "winter": ("b9cbdc dde3e8 f6ece4", "ccd6e0 a7b7c9 7d90a8 53677f 2f3f55", "fff4e6"),
    "autumn": ("e9c98f f3dcae fbeed0", "d9a55a bd7a3c 95522f 653326 371d1d", "fff0c8"),
    "moonlit": ("0d1228 1d2850 46588c", "53669a 3b4c7d 27355f 172143 0b1126", "eef0f5"),
    "rose": ("d9a8b4 eec5c0 f9e2d4", "dd9aa0 bf7186 95506f 643655 381f38", "fff0e2"),
}
_SCENERY_WORDS = {
    "dawn": "dawn terracotta dune dunes desert orange first warm red sand copper",
    "mist": "fjord mist misty fog foggy blue lake rain storm cobalt navy",
    "spring": "green spring meadow forest summer grass valley sage hill hills",
    "sunset": "sunset dusk evening purple plum violet",
    "winter": "winter snow ice frost white alpine glacier",
    "autumn": "autumn fall golden gold harvest yellow ochre amber",
    "moonlit": "night moon midnight stars dark",
    "rose": "pink rose blush peach coral lilac lavender",
}


def words_of(prompt: str) -> list[str]:
    return re.findall(r"[a-zéèüöä]+", prompt.lower())


def named_colours(prompt: str) -> list[Array]:
    """The colours that a prompt names, in its order, each once."""
    found = dict.fromkeys(word for word in words_of(prompt) if word in _COLOUR_WORDS)
    return [rgb(_COLOUR_WORDS[word]) for word in found]


def is_light(colour: Array) -> bool:
    return bool(colour @ np.array([0.299, 0.587, 0.114]) > 0.78)


def palette_for(prompt: str, rng: Rng) -> Palette:
    """A curated set, with the named colours in front and a light one among them as the ground."""
    named = named_colours(prompt)
    strong = [colour for colour in named if not is_light(colour)]
    light = [colour for colour in named if is_light(colour)]
    night = any(word in words_of(prompt) for word in _NIGHT_WORDS)
    choices = [name for name, item in _CURATED.items() if item.night == night]
    # A set that agrees with the first named colour, else any.
    if strong:
        base = min((_CURATED[name] for name in choices), key=lambda item: _distance(item, strong[0]))
    else:
        base = _CURATED[choices[int(rng.integers(len(choices)))]]
    accents = (*strong, *(accent for accent in base.accents if all(_apart(accent, colour) for colour in strong)))
    if len(accents) < 4:  # so many close to a named colour: its own shades fill up
        accents = (*accents, *(mix(accents[0], tone, 0.5) for tone in (base.paper, base.deep)))
    if night:
        return replace(base, accents=(*light, *accents) if light and not strong else (*accents, *light))
    paper = mix(base.paper, light[0], 0.7) if light else base.paper
    return replace(base, paper=paper, accents=accents)


def scenery_for(prompt: str, rng: Rng) -> Scenery:
    """Sky and land: the set whose words the prompt uses most, else any."""
    words = words_of(prompt)
    scores = {name: sum(word in listed.split() for word in words) for name, listed in _SCENERY_WORDS.items()}
    best = max(scores.values())
    choices = [name for name, score in scores.items() if score == best]
    # One word too many for a pair of sets ("dusk", "dune") is settled by order, no words at all by chance.
    name = choices[0] if best else choices[int(rng.integers(len(choices)))]
    sky, layers, sun = _SCENERIES[name]
    return Scenery(tuple(map(rgb, sky.split())), tuple(map(rgb, layers.split())), rgb(sun))


def _distance(item: Palette, colour: Array) -> float:
    return min(float(np.linalg.norm(accent - colour)) for accent in item.accents)


def _apart(first: Array, second: Array) -> bool:
    return float(np.linalg.norm(first - second)) > 0.25
