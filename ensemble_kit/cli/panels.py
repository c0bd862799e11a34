"""Which panel of `--help` an option stands in; what is used most is in none and comes first."""

from typing import Any

from typer.core import TyperCommand

PANELS = {
    "Data and labels": (
        "columns", "group_pattern", "label_level", "map_labels", "min_groups", "duplicates",
        "split", "split_test", "truth", "scale", "normalise", "rows_per_image", "align",
        "no_images",
    ),
    "Folds": ("repeats", "folds_file", "seed", "fractions", "leak_audit"),
    "Model": ("aspect", "dropout", "precision"),
    "Training": (
        "head", "head_epochs", "head_lr", "fine_tune_lr", "batch_size", "class_weights", "augment",
        "views", "test_views", "early_stopping", "settings", "tensorboard",
    ),
    "Figures": (
        "malignant", "slice_by", "level", "replicates", "interval", "isic_conventions", "costs",
        "coverage", "prevalence",
    ),
    "Machine": ("jobs", "executor", "address", "gpus_per_fold", "store", "store_limit"),
    "Output": ("runs_dir", "studies_dir", "as_json", "verbose", "quiet", "no_progress"),
}  # fmt: skip
"""Panel -> names of parameters, for every command that has them."""

_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}


class PanelledCommand(TyperCommand):
    """A command whose long list of options is parted by what they are about."""

    LONG = 14
    """Options from which a command's help is parted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(self.params) < self.LONG:
            return
        for parameter in self.params:
            panel = _PANEL_OF.get(parameter.name or "")
            if panel and not getattr(parameter, "rich_help_panel", None):
                parameter.rich_help_panel = panel  # type: ignore[attr-defined]
