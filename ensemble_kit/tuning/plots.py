"""Optuna's own matplotlib pictures of a search, as SVG files."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from ensemble_kit.core.atomic import write_bytes
from ensemble_kit.study.space import SearchSpec
from ensemble_kit.tuning.storage import experimental
from ensemble_kit.tuning.summary import FEWEST_FOR_IMPORTANCE, evaluator
from ensemble_kit.tuning.trials import judged_study


def write_plots(study: optuna.Study, search: SearchSpec, folder: Path) -> tuple[Path, ...]:
    """History, slices, parallel coordinates and, of eight different scores or more, importance.
    All but the history count a pruned trial with the score it had."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    from optuna.visualization import matplotlib as pictures

    judged, named = judged_study(study), {"target_name": search.metric}
    several = {"target": _score, **named} if search.cost else named
    drawn: dict[str, Callable[[], Any]] = {
        "history": lambda: pictures.plot_optimization_history(study, **several),
        "slice": lambda: pictures.plot_slice(judged, **named),
        "parallel_coordinate": lambda: pictures.plot_parallel_coordinate(judged, **named),
        "importance": lambda: pictures.plot_param_importances(
            judged, evaluator=evaluator(), target=_score, **named
        ),
    }
    if len({trial.value for trial in judged.trials}) < FEWEST_FOR_IMPORTANCE:
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


def _score(trial: Any) -> float:
    return float(trial.values[0])
