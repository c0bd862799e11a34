"""The model section of a study: what a member sees, and the network it is."""

from typing import Literal

from pydantic import Field

from ensemble_kit.study.data import Section


class ModelSpec(Section):
    backbone: str = Field("xception", description="architecture (`backbones` lists them)")
    weights: str = Field("imagenet", description="'imagenet', 'none' or a .weights.h5 file")
    image_size: int = Field(299, ge=32, le=2048, description="side of the square input, pixels")
    aspect: Literal["crop", "pad", "stretch"] = Field(
        "crop", description="how a rectangle becomes a square: centre crop, pad or stretch"
    )
    unfreeze_depth: int = Field(
        2, ge=0, le=1000, description="blocks trained, from the end; 0: head"
    )
    dropout: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="share of pooled features dropped; with head = 'network', of hidden units",
    )
    hidden_units: int = Field(
        128, ge=1, le=4096, description="units of the hidden layer of head = 'network'"
    )
    inputs: Literal["images", "features", "metadata"] = Field(
        "images",
        description="what a member sees: images, features made elsewhere, metadata",
    )
    metadata: tuple[str, ...] = Field(
        (), description="columns joined to the (pooled) features, or seen alone: age, sex, site …"
    )
    metadata_anyway: tuple[str, ...] = Field(
        (), description="those of them to use though they give the label away"
    )
