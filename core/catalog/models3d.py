"""3D models. Inputs and limits as fal.ai documents them per model."""

from typing import Final

from core.catalog.fields import Field
from core.catalog.shared import seed, source
from core.catalog.types import GenerationType, Usage

MODELS_3D: Final = (
    GenerationType(
        key="model_2d_to_3d",
        label="Trellis · model from a picture",
        media="3d",
        noun="model",
        endpoint="fal-ai/trellis",
        fields=(
            source(help="One thing, whole, before a plain background works best."),
            Field(
                name="texture_size",
                label="Texture",
                kind="choice",
                default=1024,
                options=((512, "512 px"), (1024, "1024 px"), (2048, "2048 px")),
                help="A sharper surface makes a larger file.",
            ),
            Field(
                name="mesh_simplify",
                label="Simplify the mesh",
                kind="number",
                default=0.95,
                minimum=0.9,
                maximum=0.98,
                advanced=True,
                help="The higher, the fewer faces: a smaller file with less detail.",
            ),
            seed(),
        ),
        usage=Usage(),
        expected_seconds=45,
        longest_seconds=1800,
    ),
)
