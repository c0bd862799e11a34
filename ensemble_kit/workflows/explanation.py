"""`explain`: heat maps of a run's images, each by the fold model that never saw the image."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from ensemble_kit.core.errors import DataError, RunError
from ensemble_kit.core.folders import named_by_process
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.heatmaps.explaining import Explained, check_fold_models, explain_run
from ensemble_kit.reporting.collect.gallery import shown_images
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.runs.folder import Run, find_run, read_run
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.executors import runs_here
from ensemble_kit.training.model_cache import warm_up
from ensemble_kit.training.workers import Workers
from ensemble_kit.workflows.finished import FinishedRun
from ensemble_kit.workflows.inputs import RUNS_DIR, STORE_DIR
from ensemble_kit.workflows.shipped import check_sees_images

HERE = ClusterSpec()
Chosen = int | str | Sequence[str]


def explain(
    run: FinishedRun | Path | str | None = None,
    images: Chosen = 40,
    *,
    of: Literal["predicted", "true"] = "predicted",
    images_dir: Path | None = None,
    runs_dir: Path = RUNS_DIR,
    store_dir: Path = STORE_DIR,
    cluster: ClusterSpec = HERE,
    tell: Tell = say_nothing,
) -> Explained:
    """Draw Grad-CAM maps into ``explain/`` of the folder of a `cv` run.

    images : about how many (the ones that the report shows), ids, or "all". of : the class whose
    evidence is drawn. images_dir : the images, where they are not where the run found them.
    cluster : where the fold models run.
    tell : hears "begin" (total) and "step" (n). Raises RunError, DataError.
    """
    if images_dir is not None and not images_dir.is_dir():
        raise RunError(f"{images_dir} is no folder: --data names the folder of the images")
    if isinstance(run, FinishedRun):
        found = run.record
    else:
        found = read_run(find_run(None if run is None else str(run), runs_dir))
    check_sees_images(found)
    check_fold_models(found)
    chosen = chosen_images(found, images)
    tell("begin", total=len(chosen))
    with ExitStack() as held:
        workers = None
        if runs_here(cluster):
            warm_up(0)
        else:
            events = store_dir / "events" / named_by_process(f"explain-{found.folder.name}")
            shared = store_dir, found.folder.absolute().parent
            workers = held.enter_context(Workers(1, events, lambda event: None, cluster, shared))
        return explain_run(
            found, chosen, of=of, store_dir=store_dir, images_dir=images_dir,
            tell=lambda n: tell("step", n=n), workers=workers,
        )  # fmt: skip


def chosen_images(run: Run, images: Chosen) -> list[str]:
    """Ids of the images asked for; DataError where there is none."""
    ids: list[str] = run.table.image_ids.tolist()
    if isinstance(images, int):
        chosen = list(shown_images(ReportedRun(run), min(images, len(ids))))
    elif images == "all":
        return ids
    else:
        chosen = list(dict.fromkeys([images] if isinstance(images, str) else images))
    if not chosen:
        raise DataError(f"--images {images!r} names no image: give a number, ids, or all")
    return chosen
