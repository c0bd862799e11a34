"""Optuna's own matplotlib pictures of a search, as SVG files."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from ensemble_kit.atomic import write_bytes
from ensemble_kit.space import SearchSpec
from ensemble_kit.tuning.storage import experimental
from ensemble_kit.tuning.trials import complete_trials


def write_plots(study: optuna.Study, search: SearchSpec, folder: Path) -> tuple[Path, ...]:
    """History, slices, importance and parallel coordinates; those that need more complete trials
    than there are (two; for importance, different scores) are left out."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    from optuna.visualization import matplotlib as pictures

    def target(trial: Any) -> float:
        return float(trial.values[0])

    several = {"target": target, "target_name": search.metric} if search.cost else {}
    drawn: dict[str, Callable[[], Any]] = {
        "history": lambda: pictures.plot_optimization_history(study, **several),
        "slice": lambda: pictures.plot_slice(study, **several),
        "parallel_coordinate": lambda: pictures.plot_parallel_coordinate(study, **several),
        "importance": lambda: pictures.plot_param_importances(study, **several),
    }
    complete = complete_trials(study)
    if len(complete) < 2:
        drawn = {"history": drawn["history"]}
    elif len({trial.values[0] for trial in complete}) < 2:
        del drawn["importance"]
    written = []
    settings = {"svg.hashsalt": study.study_name, "svg.fonttype": "none"}
    with experimental(), matplotlib.rc_context(settings):
        for name, draw in drawn.items():
            draw()
            path = folder / f"{name}.svg"
            write_bytes(path, _svg(plt.gcf()))
            plt.close("all")
            written.append(path)
    return tuple(written)


def _svg(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    return buffer.getvalue()
