"""Every architecture of ``keras.applications`` by name: one line each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ensemble_kit.models.cuts import STAGES

Expects = Literal["-1..1", "deviations", "bgr means", "pixels"]
"""What an architecture was trained on. "pixels": it scales them itself."""


@dataclass(frozen=True)
class Line:
    """An architecture of ``keras.applications``: its constructor, what it expects, its
    paper (a key of ``papers.PAPERS``), what names its stages where they differ, and the smallest
    side it takes, pixels."""

    constructor: str
    expects: Expects
    paper: str = ""
    stages: str = STAGES
    smallest: int = 32


LINES: Mapping[str, Line] = {
    "xception": Line("Xception", "-1..1", "chollet2017"),
    "resnet50v2": Line("ResNet50V2", "-1..1", "he2016"),
    "resnet101v2": Line("ResNet101V2", "-1..1", "he2016"),
    "inceptionv3": Line("InceptionV3", "-1..1", "szegedy2016"),
    "inceptionresnetv2": Line("InceptionResNetV2", "-1..1", "szegedy2017", smallest=75),
    "densenet121": Line("DenseNet121", "deviations", "huang2017"),
    "densenet201": Line("DenseNet201", "deviations", "huang2017"),
    "mobilenetv2": Line("MobileNetV2", "-1..1", "sandler2018"),
    "mobilenetv3large": Line("MobileNetV3Large", "pixels", "howard2019"),
    "efficientnetv2b0": Line("EfficientNetV2B0", "pixels", "tan2021"),
    "efficientnetv2b1": Line("EfficientNetV2B1", "pixels", "tan2021"),
    "efficientnetv2b3": Line("EfficientNetV2B3", "pixels", "tan2021"),
    "efficientnetv2s": Line("EfficientNetV2S", "pixels", "tan2021"),
    "convnexttiny": Line("ConvNeXtTiny", "pixels", "liu2022"),
    "convnextsmall": Line("ConvNeXtSmall", "pixels", "liu2022"),
    "nasnetmobile": Line("NASNetMobile", "-1..1", "zoph2018"),
}


def paper_of(name: str) -> str:
    """The key of an architecture's paper; "" where none is known."""
    return LINES[name].paper if name in LINES else ""
