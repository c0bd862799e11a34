"""What every figure means: label, definition in words, formula, source."""

from dataclasses import dataclass


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
    return _BY_KEY.get(_ALIASES.get(metric, metric))


def digits_of(metric: str) -> int:
    known = definition_of(metric)
    return known.digits if known else 3


def all_definitions() -> tuple[Definition, ...]:
    return _DEFINITIONS


_ALIASES = {
    "sensitivity": "recall",
    "macro_auc": "roc_auc_ovr",
}

_DEFINITIONS = (
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
        "95 % unless stated: groups are drawn with replacement many times, the figure is computed "
        "anew each time, and the interval holds the middle 95 % of the results. Photos of one "
        "lesion are never counted as independent.",
        "percentile cluster bootstrap", "field2007", "",
    ),
    Definition(
        "not_estimable", "not estimable",
        "The class has too few groups for the figure to mean anything; a number would mislead.",
        better="",
    ),
    Definition(
        "accuracy", "accuracy", "Share of images whose most probable class is the true one.",
        "correct / n",
    ),
    Definition(
        "balanced_accuracy", "balanced accuracy",
        "Mean of the classes' sensitivities: every class counts the same however rare it is. The "
        "ISIC 2018 challenge's goal metric.",
        "(1/C) Σ TPc / (TPc + FNc)", "brodersen2010",
    ),
    Definition(
        "roc_auc", "AUC",
        "Probability that a random image of the class scores higher than a random image of "
        "another class; ties count half.",
        "P(s⁺ > s⁻) + ½ P(s⁺ = s⁻)", "hanley1982",
    ),
    Definition(
        "malignant_roc_auc", "AUC, malignant",
        "AUC of the malignant-versus-benign view: the score is the sum of the malignant classes' "
        "probabilities.",
        "P(s⁺ > s⁻) + ½ P(s⁺ = s⁻)", "hanley1982",
    ),
    Definition(
        "roc_auc_ovr", "macro AUC",
        "Mean of the classes' one-versus-rest AUC values: every class counts the same.",
        "(1/C) Σ AUCc", "hanley1982",
    ),
    Definition(
        "roc_auc_micro", "micro AUC",
        "AUC over all (image, class) pairs at once; common classes dominate it.",
    ),
    Definition(
        "roc_auc_tpr80", "partial AUC",
        "Area of the ROC curve above 80 % sensitivity, between 0 and 0.2: the ISIC 2024 "
        "challenge's metric.",
        source="kurtansky2024",
    ),
    Definition(
        "sensitivity_at_specificity_90", "sensitivity at 90 % specificity",
        "Share of the class found where one in ten others is called it too.",
    ),
    Definition(
        "sensitivity_at_specificity_95", "sensitivity at 95 % specificity",
        "Share of the class found where one in twenty others is called it too.",
    ),
    Definition(
        "specificity_at_sensitivity_90", "specificity at 90 % sensitivity",
        "Share of the others left out where nine in ten of the class are found.",
    ),
    Definition(
        "specificity_at_sensitivity_95", "specificity at 95 % sensitivity",
        "Share of the others left out where nineteen in twenty of the class are found.",
    ),
    Definition(
        "roc_auc_ovo", "AUC, one versus one",
        "Mean over all pairs of classes of how well the two are told apart; unaffected by how "
        "common each is.",
        "2/(C(C−1)) Σ Â(i, j)", "hand2001",
    ),
    Definition(
        "average_precision", "average precision",
        "Area under the precision–recall curve, as a sum of steps. Chance level is the "
        "prevalence of the class.",
        "Σ (Rk − Rk−1) Pk", "davis2006",
    ),
    Definition(
        "recall", "sensitivity",
        "Of the images that are of the class, the share found. Also called recall.",
        "TP / (TP + FN)",
    ),
    Definition(
        "specificity", "specificity",
        "Of the images that are not of the class, the share rightly left out.",
        "TN / (TN + FP)",
    ),
    Definition(
        "precision", "precision",
        "Of the images called the class, the share that are. Also called positive predictive "
        "value; depends on how common the class is in these images.",
        "TP / (TP + FP)",
    ),
    Definition(
        "npv", "NPV",
        "Of the images not called the class, the share that are not: negative predictive value.",
        "TN / (TN + FN)",
    ),
    Definition(
        "f1", "F1", "Harmonic mean of precision and sensitivity; over all classes, their mean.",
        "2TP / (2TP + FP + FN)",
    ),
    Definition(
        "average_precision_macro", "macro average precision",
        "Mean of the classes' average precisions.", "(1/C) Σ APc", "davis2006",
    ),
    Definition(
        "precision_macro", "macro precision", "Mean of the classes' precisions.",
    ),
    Definition(
        "f1_macro", "macro F1", "Mean of the classes' F1 values.", "(1/C) Σ F1c",
    ),
    Definition(
        "top_2_accuracy", "top-2 accuracy",
        "Share of images whose true class is among the two most probable.",
    ),
    Definition(
        "top_3_accuracy", "top-3 accuracy",
        "Share of images whose true class is among the three most probable.",
    ),
    Definition(
        "f1_weighted", "weighted F1", "Mean of the classes' F1 values, weighted by their images.",
        "Σ (nc/n) F1c",
    ),
    Definition(
        "cohen_kappa", "Cohen's κ",
        "Agreement with the truth beyond what chance would give.", "(po − pe) / (1 − pe)",
        "cohen1960",
    ),
    Definition(
        "cohen_kappa_quadratic", "quadratic κ",
        "Cohen's κ with disagreements weighted by squared distance; only meaningful where the "
        "classes are ordered.",
        source="cohen1960",
    ),
    Definition(
        "matthews_corrcoef", "MCC",
        "Correlation between true and predicted class over the whole confusion matrix.",
        source="gorodkin2004",
    ),
    Definition(
        "log_loss", "log loss",
        "Mean of −log of the probability given to the true class. A proper score: best when the "
        "probabilities are true.",
        "−(1/n) Σ log p(true)", better="lower",
    ),
    Definition(
        "brier_score", "Brier score",
        "Mean squared distance between the probabilities and the truth. A proper score.",
        "(1/n) Σ Σ (p − y)²", "brier1950", "lower",
    ),
    Definition(
        "brier_reliability", "Brier: reliability",
        "The part of the Brier score that comes from miscalibration; 0 is ideal.",
        source="murphy1973", better="lower", digits=4,
    ),
    Definition(
        "brier_resolution", "Brier: resolution",
        "The part of the Brier score that discrimination wins back.",
        source="murphy1973", digits=4,
    ),
    Definition(
        "ece", "ECE",
        "Expected calibration error: mean distance between confidence and accuracy over 15 bins "
        "of equal width, weighted by images. Biased upwards in small samples.",
        "Σ (nb/n) |acc(b) − conf(b)|", "guo2017", "lower", 4,
    ),
    Definition(
        "ece_equal_mass", "ECE, equal mass",
        "As ECE, with bins that hold the same number of images.", source="nixon2019",
        better="lower", digits=4,
    ),
    Definition(
        "ece_classwise", "class-wise ECE",
        "Mean over classes of the calibration error of that class's probability.",
        source="kull2019", better="lower", digits=4,
    ),
    Definition(
        "mce", "MCE", "Largest distance between confidence and accuracy in any bin.",
        source="guo2017", better="lower",
    ),
    Definition(
        "smooth_ece", "smooth ECE",
        "Calibration error without bins: by kernel smoothing at the scale of the error itself.",
        source="blasiok2024", better="lower", digits=4,
    ),
    Definition(
        "calibration_slope", "calibration slope",
        "Slope of the outcome on the log-odds of the prediction: 1 is ideal, below 1 the "
        "predictions are too extreme.",
        source="vancalster2019", better="",
    ),
    Definition(
        "calibration_intercept", "calibration intercept",
        "Shift on the log-odds scale: 0 is ideal, above 0 risks are underestimated.",
        source="vancalster2019", better="",
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

_BY_KEY = {item.key: item for item in _DEFINITIONS}
