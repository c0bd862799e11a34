"""What every figure and term of the page means: figures from the registry, other words here."""

from dataclasses import dataclass

from ensemble_kit.metrics.registry import METRICS, metric_of


@dataclass(frozen=True)
class Definition:
    """``better``: "higher", "lower" or "". ``digits``: decimals shown. ``source``: a reference."""

    key: str
    label: str
    meaning: str
    formula: str = ""
    source: str = ""
    better: str = "higher"
    digits: int = 3


def definition_of(metric: str) -> Definition | None:
    """The definition of a metric by its name in ``metrics.csv``, if the page has one."""
    known = metric_of(metric)
    return _BY_KEY.get(known.name if known else metric)


def digits_of(metric: str) -> int:
    known = definition_of(metric)
    return known.digits if known else 3


def all_definitions() -> tuple[Definition, ...]:
    return _DEFINITIONS


_TERMS = (
    Definition(
        "group", "group",
        "All images that may not be parted: those of one patient, one lesion or a pair of "
        "near-duplicates. Groups are kept whole by the folds and are the unit the intervals "
        "resample.",
        better="",
    ),
    Definition(
        "oof", "out-of-fold prediction",
        "The probability given to an image by the one model that saw neither the image nor any "
        "other image of its group. Every image has exactly one.",
        better="",
    ),
    Definition(
        "interval", "interval",
        "95 % unless stated: the figure is computed anew without each group in turn; its spread "
        "gives a Student interval with as many degrees of freedom as groups limit it, less one. "
        "Bands and calibration errors draw groups with replacement; for the errors a test is "
        "inverted. Photos of one lesion are never counted as independent. The trained models are "
        "held fixed: the interval says how the figures of these models would move with other test "
        "images, not with other training images.",
        "jackknife-t over groups", "field2007", "",
    ),
    Definition(
        "not_estimable", "not estimable",
        "The class has too few groups for the figure to mean anything; a number would mislead.",
        better="",
    ),
    Definition(
        "malignant_roc_auc", "AUC, malignant",
        "AUC of the malignant-versus-benign view: the score is the sum of the malignant classes' "
        "probabilities.",
        "P(s⁺ > s⁻) + ½ P(s⁺ = s⁻)", "hanley1982",
    ),
    Definition(
        "net_benefit", "net benefit",
        "True positives minus false positives, per image, with a false positive weighed by the "
        "odds of the threshold. Above both ‘treat all’ and ‘treat none’, using the model helps.",
        "TP/n − FP/n · t/(1−t)", "vickers2006",
    ),
    Definition(
        "ppv_at", "PPV at a prevalence",
        "Share of truly positive among positive calls where the disease is as common as you say.",
        "sens·π / (sens·π + (1−spec)(1−π))", better="",
    ),
    Definition(
        "optimism", "optimism",
        "How much better a figure looks on the very rows that fitted the ensemble and calibrator "
        "than on rows that did not.",
        "in-sample − cross-fitted", "efron1986", "",
    ),
    Definition(
        "coverage", "coverage",
        "Share of images whose prediction set holds the true class.",
        source="vovk2005", better="",
    ),
    Definition(
        "set_size", "set size", "Mean number of classes in the prediction set.",
        source="vovk2005", better="lower", digits=2,
    ),
    Definition(
        "double_fault", "double fault",
        "Share of images that both members get wrong: what no mixture of the two can mend.",
        source="kuncheva2003", better="lower",
    ),
    Definition(
        "label_check", "label check",
        "Images whose label every member contradicts with confidence, ranked by how sure they "
        "are. A reason to look again, never a reason to relabel unseen.",
        "min over members of max p(other) − p(label)", "northcutt2021", "",
    ),
    Definition(
        "holm", "Holm's correction",
        "p-values of several comparisons, adjusted so that the chance of any false finding stays "
        "below the level.",
        source="holm1979", better="",
    ),
)  # fmt: skip

_FIGURES = tuple(
    Definition(m.name, m.label, m.meaning, m.formula, m.source, m.better, m.digits)
    for m in METRICS
    if m.rests_on != "count"
)
_DEFINITIONS = (*_TERMS[:4], *_FIGURES, *_TERMS[4:])
_BY_KEY = {item.key: item for item in _DEFINITIONS}
