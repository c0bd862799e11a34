"""The entries of the registry: one a figure, in the order in which tables show them."""

import math

from ensemble_kit.metrics.metric import Metric

ENTRIES: tuple[Metric, ...] = (
    Metric(
        "roc_auc_ovr", "macro AUC",
        "Mean of the classes' one-versus-rest AUC values: every class counts the same.",
        "(1/C) Σ AUCc", "hanley1982",
        rests_on="every class",
        shown=("headline", "evaluate", "page", "members", "slices", "compared", "external",
            "fold tests"),
    ),
    Metric(
        "balanced_accuracy", "balanced accuracy",
        "Mean of the classes' sensitivities: every class counts the same however rare it is. The "
        "ISIC 2018 challenge's goal metric.",
        "(1/C) Σ TPc / (TPc + FNc)", "brodersen2010",
        rests_on="every class",
        shown=("headline", "evaluate", "page", "members", "slices", "compared", "external",
            "fold tests"),
    ),
    Metric(
        "g_mean", "G-mean",
        "Geometric mean of the classes' sensitivities (Kubat & Matwin 1997): 0 as soon as one "
        "class is never found, however well the others are.",
        "(Π TPc / (TPc + FNc))^(1/C)",
        rests_on="every class",
        shown=("evaluate",),
    ),
    Metric(
        "accuracy", "accuracy", "Share of images whose most probable class is the true one.",
        "correct / n",
        shown=("headline", "evaluate", "page", "malignant", "slices", "compared", "external",
            "fold tests"),
    ),
    Metric(
        "f1_macro", "macro F1", "Mean of the classes' F1 values.", "(1/C) Σ F1c",
        rests_on="every class",
        shown=("headline", "evaluate", "page", "compared", "external"),
    ),
    Metric(
        "f1_weighted", "weighted F1", "Mean of the classes' F1 values, weighted by their images.",
        "Σ (nc/n) F1c",
        shown=("evaluate", "page"),
    ),
    Metric(
        "recall", "sensitivity",
        "Of the images that are of the class, the share found. Also called recall.",
        "TP / (TP + FN)",
        rests_on="positives",
        shown=("evaluate by class", "cv by class", "page by class", "malignant",
            "external by class"),
    ),
    Metric(
        "specificity", "specificity",
        "Of the images that are not of the class, the share rightly left out.",
        "TN / (TN + FP)",
        rests_on="negatives",
        shown=("evaluate by class", "cv by class", "page by class", "malignant"),
    ),
    Metric(
        "precision", "precision",
        "Of the images called the class, the share that are. Also called positive predictive "
        "value; depends on how common the class is in these images.",
        "TP / (TP + FP)",
        rests_on="called",
        shown=("evaluate by class", "cv by class", "page by class", "malignant"),
    ),
    Metric(
        "npv", "NPV",
        "Of the images not called the class, the share that are not: negative predictive value.",
        "TN / (TN + FN)",
        rests_on="not called",
        shown=("page by class", "malignant"),
    ),
    Metric(
        "f1", "F1", "Harmonic mean of precision and sensitivity; over all classes, their mean.",
        "2TP / (2TP + FP + FN)",
        rests_on="positives",
        shown=("evaluate by class", "page by class"),
    ),
    Metric(
        "roc_auc", "AUC",
        "Probability that a random image of the class scores higher than a random image of "
        "another class; ties count half.",
        "P(s⁺ > s⁻) + ½ P(s⁺ = s⁻)", "hanley1982",
        rests_on="both sides",
        shown=("evaluate by class", "cv by class", "page by class", "malignant",
            "compared by class", "external by class"),
    ),
    Metric(
        "average_precision", "average precision",
        "Area under the precision–recall curve, as a sum of steps. Chance level is the "
        "prevalence of the class.",
        "Σ (Rk − Rk−1) Pk", "davis2006",
        rests_on="both sides",
        shown=("evaluate by class", "page by class", "malignant"),
    ),
    Metric(
        "roc_auc_tpr80", "partial AUC",
        "Area of the ROC curve above 80 % sensitivity, between 0 and 0.2: the ISIC 2024 "
        "challenge's metric.",
        source="kurtansky2024",
        rests_on="both sides", scale="none",
        most=0.2,
        shown=("malignant",),
    ),
    Metric(
        "sensitivity_at_specificity_90", "sensitivity at 90 % specificity",
        "Share of the class found where one in ten others is called it too.",
        rests_on="both sides", scale="none",
        shown=("malignant",),
    ),
    Metric(
        "sensitivity_at_specificity_95", "sensitivity at 95 % specificity",
        "Share of the class found where one in twenty others is called it too.",
        rests_on="both sides", scale="none",
        shown=("malignant",),
    ),
    Metric(
        "specificity_at_sensitivity_90", "specificity at 90 % sensitivity",
        "Share of the others left out where nine in ten of the class are found.",
        rests_on="both sides", scale="none",
        shown=("malignant",),
    ),
    Metric(
        "specificity_at_sensitivity_95", "specificity at 95 % sensitivity",
        "Share of the others left out where nineteen in twenty of the class are found.",
        rests_on="both sides", scale="none",
        shown=("malignant",),
    ),
    Metric(
        "roc_auc_ovo", "AUC, one versus one",
        "Mean over all pairs of classes of how well the two are told apart; unaffected by how "
        "common each is.",
        "2/(C(C−1)) Σ Â(i, j)", "hand2001",
        rests_on="every class",
        shown=("evaluate", "page"),
    ),
    Metric(
        "roc_auc_micro", "micro AUC",
        "AUC over all (image, class) pairs at once; common classes dominate it.",
    ),
    Metric(
        "average_precision_macro", "macro average precision",
        "Mean of the classes' average precisions.", "(1/C) Σ APc", "davis2006",
        rests_on="every class",
        shown=("evaluate", "page", "compared", "external"),
    ),
    Metric(
        "average_precision_micro", "micro average precision",
        "Average precision over all (image, class) pairs at once; common classes dominate it.",
    ),
    Metric(
        "precision_macro", "macro precision", "Mean of the classes' precisions.",
        rests_on="every class",
    ),
    Metric(
        "cohen_kappa", "Cohen's κ",
        "Agreement with the truth beyond what chance would give.", "(po − pe) / (1 − pe)",
        "cohen1960",
        scale="plain",
        least=-1.0,
        shown=("evaluate", "page"),
    ),
    Metric(
        "cohen_kappa_quadratic", "quadratic κ",
        "Cohen's κ with disagreements weighted by squared distance; only meaningful where the "
        "classes are ordered.",
        source="cohen1960",
        scale="plain",
        least=-1.0,
    ),
    Metric(
        "matthews_corrcoef", "MCC",
        "Correlation between true and predicted class over the whole confusion matrix.",
        source="gorodkin2004",
        scale="plain",
        least=-1.0,
        shown=("evaluate", "page"),
    ),
    Metric(
        "top_2_accuracy", "top-2 accuracy",
        "Share of images whose true class is among the two most probable.",
        shown=("evaluate", "page"),
    ),
    Metric(
        "top_3_accuracy", "top-3 accuracy",
        "Share of images whose true class is among the three most probable.",
        shown=("page",),
    ),
    Metric(
        "log_loss", "log loss",
        "Mean of −log of the probability given to the true class. A proper score: best when the "
        "probabilities are true.",
        "−(1/n) Σ log p(true)", better="lower",
        scale="log",
        most=math.inf,
        shown=("headline", "evaluate", "page", "calibration", "members", "compared", "external",
            "fold tests"),
    ),
    Metric(
        "brier_score", "Brier score",
        "Mean squared distance between the probabilities and the truth. A proper score.",
        "(1/n) Σ Σ (p − y)²", "brier1950", "lower",
        scale="log",
        most=2.0,
        shown=("evaluate", "page", "malignant", "calibration", "compared", "external"),
    ),
    Metric(
        "ece", "ECE",
        "Expected calibration error: mean distance between confidence and accuracy over 15 bins "
        "of equal width, weighted by images. Biased upwards in small samples.",
        "Σ (nb/n) |acc(b) − conf(b)|", "guo2017", "lower", 4,
        bias="folded",
        shown=("headline", "evaluate", "page", "calibration", "calibration by class",
            "members", "external"),
    ),
    Metric(
        "ece_if_calibrated", "ECE if calibrated",
        "The ECE that a perfectly calibrated model would show on these rows, by chance alone.",
        better="", digits=4,
        shown=("evaluate", "page", "calibration"),
    ),
    Metric(
        "ece_p", "p, ECE",
        "Share of perfectly calibrated models that would show at least this ECE here.",
        better="",
        shown=("evaluate", "page", "calibration"),
    ),
    Metric(
        "ece_classwise", "class-wise ECE",
        "Mean over classes of the calibration error of that class's probability.",
        source="kull2019", better="lower", digits=4,
        bias="folded",
        shown=("evaluate", "calibration"),
    ),
    Metric(
        "ece_classwise_if_calibrated", "class-wise ECE if calibrated",
        "The class-wise ECE that a perfectly calibrated model would show on these rows, by chance "
        "alone.",
        better="", digits=4,
        shown=("evaluate", "calibration"),
    ),
    Metric(
        "ece_classwise_p", "p, class-wise ECE",
        "Share of perfectly calibrated models that would show at least this class-wise ECE here.",
        better="",
        shown=("evaluate", "calibration"),
    ),
    Metric(
        "smooth_ece", "smooth ECE",
        "Calibration error without bins: by kernel smoothing at the scale of the error itself.",
        source="blasiok2024", better="lower", digits=4,
        bias="folded",
        shown=("evaluate", "calibration"),
    ),
    Metric(
        "smooth_ece_if_calibrated", "smooth ECE if calibrated",
        "The smooth ECE that a perfectly calibrated model would show on these rows, by chance "
        "alone.",
        better="", digits=4,
        shown=("calibration",),
    ),
    Metric(
        "smooth_ece_p", "p, smooth ECE",
        "Share of perfectly calibrated models that would show at least this smooth ECE here.",
        better="",
        shown=("calibration",),
    ),
    Metric(
        "ece_equal_mass", "ECE, equal mass",
        "As ECE, with bins that hold the same number of images.", source="nixon2019",
        better="lower", digits=4,
        bias="folded",
        shown=("calibration",),
    ),
    Metric(
        "ece_classwise_equal_mass", "class-wise ECE, equal mass",
        "As class-wise ECE, with bins that hold the same number of images.",
        source="nixon2019", better="lower", digits=4,
        bias="folded",
    ),
    Metric(
        "mce", "MCE", "Largest distance between confidence and accuracy in any bin.",
        source="guo2017", better="lower",
        bias="folded",
        shown=("calibration",),
    ),
    Metric(
        "calibration_slope", "calibration slope",
        "Slope of the outcome on the log-odds of the prediction: 1 is ideal, below 1 the "
        "predictions are too extreme.",
        source="vancalster2019", better="",
        rests_on="both sides", scale="plain",
        least=-math.inf, most=math.inf,
        shown=("calibration by class",),
    ),
    Metric(
        "calibration_intercept", "calibration intercept",
        "Shift on the log-odds scale: 0 is ideal, above 0 risks are underestimated.",
        source="vancalster2019", better="",
        rests_on="both sides", scale="plain",
        least=-math.inf, most=math.inf,
        shown=("calibration by class",),
    ),
    Metric(
        "brier_reliability", "Brier: reliability",
        "The part of the Brier score that comes from miscalibration; 0 is ideal.",
        source="murphy1973", better="lower", digits=4,
        bias="squared",
        most=2.0,
    ),
    Metric(
        "brier_resolution", "Brier: resolution",
        "The part of the Brier score that discrimination wins back.",
        source="murphy1973", digits=4,
        bias="squared",
    ),
    Metric(
        "brier_uncertainty", "Brier: uncertainty",
        "The part of the Brier score that the class frequencies alone bring.",
        source="murphy1973", better="", digits=4,
        scale="plain",
    ),
    Metric(
        "brier_within_bin", "Brier: within bins",
        "What the bins hide: reliability − resolution + uncertainty + this is the Brier score.",
        source="murphy1973", better="", digits=4,
        scale="plain",
        least=-2.0, most=2.0,
    ),
    Metric(
        "support", "images of the class", "Images whose true class it is.", better="", digits=0,
        rests_on="count", most=math.inf,
    ),
    Metric(
        "n_images", "images", "Images scored.", better="", digits=0,
        rests_on="count", most=math.inf,
    ),
    Metric(
        "n_groups", "groups", "Groups with at least one of the images scored.", better="", digits=0,
        rests_on="count", most=math.inf,
    ),
)  # fmt: skip
