"""The whole of `cv`: a run folder begun or resumed, folds trained, out-of-fold rows assembled."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import StudyError
from ensemble_kit.core.folders import named_by_process
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.data.survey import look_at_pixels
from ensemble_kit.metrics.evaluation import evaluate
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.runs.evaluation import write_evaluation
from ensemble_kit.runs.folds import FoldDone
from ensemble_kit.runs.manifest import (
    Manifest,
    environment,
    is_run,
    read_manifest,
    record_files,
    write_manifest,
)
from ensemble_kit.runs.paths import (
    FOLDS,
    IMAGES,
    OOF,
    PROBE,
    REPORT,
    STUDY,
    WITHOUT_METADATA,
    fold_folder,
)
from ensemble_kit.runs.replacing import whole_folder
from ensemble_kit.runs.tables import write_folds, write_images, write_oof
from ensemble_kit.splits import check_folds
from ensemble_kit.stores.locks import reading_stores
from ensemble_kit.study import StudySpec
from ensemble_kit.study.members import refuse_members
from ensemble_kit.training.executors import check_place
from ensemble_kit.training.fold import check_whole, read_done
from ensemble_kit.training.preparing import (
    Prepared,
    Resources,
    find_weights,
    fold_job,
    prepare_study,
)
from ensemble_kit.training.speeds import forecast
from ensemble_kit.training.workers import Workers
from ensemble_kit.workflows.cv_plan import check_first, metadata_note
from ensemble_kit.workflows.cv_tables import Frame, TableRun, read_table_run, train_tables
from ensemble_kit.workflows.finished import FinishedRun
from ensemble_kit.workflows.gathering import (
    fold_facts,
    fold_files,
    gather_folds,
    training_facts,
)
from ensemble_kit.workflows.inputs import (
    RUNS_DIR,
    Images,
    check_network,
    check_outputs,
    default_run_name,
    draws_of,
    read_images,
    run_folder,
)
from ensemble_kit.workflows.probe_floor import floor_facts, gather_probe
from ensemble_kit.workflows.repeats import corrected_figures, repeats_note, write_repeats
from ensemble_kit.workflows.resuming import (
    only_worker_on,
    refuse_newcomer,
    refuse_other_run,
    take_folder,
)
from ensemble_kit.workflows.run_notes import notes_of_training, warnings_of
from ensemble_kit.workflows.variants import (
    Variant,
    judge_variants,
    train_variants,
    variants_of,
)


def cross_validate(
    images: Images = None,
    study: StudySpec | None = None,
    *,
    folds: Folds | Sequence[Folds] | None = None,
    name: str | None = None,
    runs_dir: Path = RUNS_DIR,
    resources: Resources | None = None,
    overwrite: bool = False,
    studies_dir: Path | None = None,
    fractions: tuple[float, ...] = (),
    leak_audit: bool = False,
    features: Frame = None,
    tell: Tell = say_nothing,
) -> FinishedRun:
    """Train every fold that is not finished, judge the out-of-fold rows, complete the run folder.

    images : a table, what ``load_images`` reads, or None for the study's data. folds : given
    folds, one draw or one for each repeat; default: drawn by the study. name : of the folder below
    ``runs_dir``; default: the study's name, or backbone and data. studies_dir : where the record
    of the search that chose the study is kept, to go beside the run. fractions : shares below 1
    of the groups to train on too, for a learning curve. leak_audit : also train with folds by
    image, to show by how much they flatter. features : a file or DataFrame of features made
    elsewhere, in place of the study's. tell : receives ``kind`` and facts of each step.

    The same call resumes a run that was interrupted; a finished fold is never trained again. A run
    folder of another study, data set or split is refused (RunError). The folder is made once
    pixels and activations are there: a damaged image leaves no run behind, and with ``overwrite``
    the old run stays until then. One process at a time may work on a run.
    """
    study, resources = study or StudySpec(), resources or Resources()
    refuse_members(study.members, "a single run")
    check_outputs(images, study, {"--runs-dir": runs_dir, "--store": resources.store_dir})
    if features is not None:
        study = study.override({"model": {"inputs": "features"}})
    if study.model.inputs != "images":
        found = read_table_run(
            images, study, features, folds, resources.store_dir / "sample",
            refused=bool(fractions) or leak_audit, tell=tell,
        )  # fmt: skip
        place = run_folder(runs_dir, name or default_run_name(found.study, found.table), overwrite)
        _cross_validate_table(found, place, overwrite, tell)
        return _finished(place, found.study, studies_dir)
    check_network(study)
    check_place(study.cluster)
    if study.cluster.stage and resources.tensorboard:
        raise StudyError("--tensorboard needs a shared folder: with --stage its files are not sent")
    table, reading = read_images(images, study, resources.store_dir / "sample", tell=tell)
    folder = run_folder(runs_dir, name or default_run_name(study, table), overwrite)
    study, draws = draws_of(table, study, folds, tell=tell)
    warnings = check_first(table, draws, study)
    variants = variants_of(table, draws[0], fractions, leak_audit, study.split.seed)
    more = len(variants) * draws[0].n_folds
    n_folds = sum(draw.n_folds for draw in draws) + more
    tell("begin", spec=study, folds=n_folds, name=folder.name)
    with ExitStack() as held:
        repeats, trained = _train_run(
            table, draws, study, folder, resources, tell, overwrite, reading, variants, held
        )
        if study.model.metadata:
            facts = read_manifest(folder).facts
            notes = [*facts["store_notes"], metadata_note(study)]
            asked = {"metadata_warnings": list(warnings), "metadata": list(study.model.metadata)}
            record_files(folder, (), facts=facts | asked | {"store_notes": notes})
        tell("evaluating")
        _complete(folder, table, draws, repeats, study)
        if trained:
            seed = study.split.seed
            record = judge_variants(table, draws[0], repeats[0], trained, study.evaluation, seed)
            record_files(folder, [record.write(folder)])
        finished = _finished(folder, study, studies_dir)
    return finished


def _cross_validate_table(found: TableRun, folder: Path, overwrite: bool, tell: Tell) -> None:
    """The same for a table of features or metadata: nothing is decoded, no framework is loaded."""
    table, draws, study = found.table, found.draws, found.study
    digest = digest_of(*(draw.digest for draw in draws))
    if is_run(folder) and not overwrite:
        refuse_other_run(folder, study, table, digest)
        found.refuse_other(folder)
    with only_worker_on(folder):
        take_folder(folder, study, table, digest, overwrite)
        if is_run(folder):
            found.refuse_other(folder)
        tell("begin", spec=study, folds=sum(d.n_folds for d in draws), name=folder.name)
        _begin(table, draws, study, folder, digest)
        done = train_tables(found, folder, tell)
        repeats = tuple(gather_folds(table, folder, r, draw) for r, draw in enumerate(draws))
        write_oof(folder, repeats[0])
        names = [OOF, *fold_files(folder, draws), *write_repeats(folder, table.labels, repeats)]
        for rows in (PROBE, WITHOUT_METADATA):
            names += filter(None, [gather_probe(table, folder, draws[:1], rows)])
        facts = read_manifest(folder).facts | found.facts() | {"folds": fold_facts(done)}
        record_files(folder, names, facts=facts)
        tell("evaluating")
        _complete(folder, table, draws, repeats, study)


def _finished(folder: Path, study: StudySpec, studies_dir: Path | None) -> FinishedRun:
    """A complete run, beside which goes the record of the search that chose its study."""
    if studies_dir is not None and study.tuned_by:
        from ensemble_kit.tuning.summary import take_record

        if taken := take_record(studies_dir, study, folder):
            record_files(folder, [taken])
    return FinishedRun(folder)


def _train_run(
    table: ImageTable,
    draws: list[Folds],
    spec: StudySpec,
    folder: Path,
    resources: Resources,
    tell: Tell,
    overwrite: bool,
    reading: Mapping[str, object],
    variants: tuple[Variant, ...],
    held: ExitStack,
) -> tuple[tuple[Predictions, ...], list[tuple[Variant, Predictions]]]:
    """Begin or resume the folder, train, write ``oof.csv`` (the first repeat's) and, for several
    repeats, each one's and their average; the out-of-fold rows by repeat, and by variant. The
    run's lock is left to ``held``."""
    began = time.perf_counter()
    for draw in draws:
        check_folds(table, draw)
    digest = digest_of(*(draw.digest for draw in draws))
    if is_run(folder) and not overwrite:
        refuse_other_run(folder, spec, table, digest)
    find_weights(spec)
    events = resources.store_dir / "events" / named_by_process(folder.name)
    with (
        ExitStack() as locks,
        Workers(
            resources.jobs,
            events,
            lambda event: tell(**event),
            spec.cluster,
            (resources.store_dir, folder.parent),
        ) as workers,
    ):
        locks.enter_context(reading_stores(resources.store_dir))
        workers.alone().warm_up()
        prepared = prepare_study(table, spec, resources, workers, tell=tell)
        held.enter_context(only_worker_on(folder))
        take_folder(folder, spec, table, digest, overwrite)
        _begin(table, draws, spec, folder, digest)
        done = _train(prepared, draws, spec, folder, workers, tell)
        trained = train_variants(prepared, spec, variants, folder, workers, tell)
    repeats = tuple(gather_folds(table, folder, r, draw) for r, draw in enumerate(draws))
    write_oof(folder, repeats[0])
    names = [OOF, *fold_files(folder, draws), *write_repeats(folder, table.labels, repeats)]
    for rows in (PROBE, WITHOUT_METADATA):
        names += filter(None, [gather_probe(table, folder, draws[:1], rows)])
    facts = read_manifest(folder).facts | training_facts(prepared, spec, done)
    facts |= {"reading": dict(reading)} if reading else {}
    facts["executor"] = spec.cluster.executor
    facts["pixel_bits"] = prepared.pixels.bits
    facts["pixel_warnings"] = look_at_pixels(table.image_ids, prepared.pixels.array)
    facts["seconds_of_last_attempt"] = time.perf_counter() - began
    record_files(folder, names, facts=facts, device=_device(folder, done))
    return repeats, trained


def _complete(
    folder: Path, table: ImageTable, draws: list[Folds], repeats: Sequence[Predictions],
    spec: StudySpec,
) -> None:  # fmt: skip
    """Evaluate the out-of-fold rows, write the numbers and declare the run complete.

    What a repeated command may change without training (intervals, slices, corrected metadata) is
    written anew, and a report made before is removed.
    """
    predictions = repeats[0]
    write_text(folder / STUDY, spec.to_toml())
    write_images(folder, table)
    (folder / REPORT).unlink(missing_ok=True)
    evaluation = evaluate(table, draws[0], predictions, spec.evaluation, spec.split.seed)
    names = write_evaluation(folder, evaluation)
    manifest, of_images = read_manifest(folder), spec.model.inputs == "images"
    facts, warnings = manifest.facts, warnings_of(manifest, table, spec)
    if len(draws) > 1:
        facts = facts | {"corrected": corrected_figures(table, draws, repeats, spec.evaluation)}
    found, said = floor_facts(folder, table, predictions, spec)
    facts, warnings = facts | found, (*warnings, *said)
    record_files(
        folder,
        [STUDY, IMAGES, *names],
        facts=facts,
        status="complete",
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=(
            *((repeats_note(len(draws)),) if len(draws) > 1 else ()),
            *(notes_of_training(manifest, spec) if of_images else ()),
            *manifest.facts["store_notes"],
        ),
        warnings=warnings,
    )


def _begin(
    table: ImageTable, draws: list[Folds], spec: StudySpec, folder: Path, digest: str
) -> None:
    if is_run(folder):
        return
    manifest = Manifest(
        kind="cv",
        name=folder.name,
        spec_digest=spec.digest,
        data_digest=table.digest,
        folds_digest=digest,
        class_names=table.class_names,
        seed=spec.split.seed,
        data_root=str(Path(table.root).resolve()) if table.root else "",
        **environment(),
    )
    with whole_folder(folder, partial(refuse_newcomer, folder)) as fresh:
        write_folds(fresh, table, draws)
        write_text(fresh / STUDY, spec.to_toml())
        write_manifest(fresh, manifest)
        record_files(fresh, [FOLDS, IMAGES, STUDY])


def _train(
    prepared: Prepared,
    draws: list[Folds],
    spec: StudySpec,
    folder: Path,
    workers: Workers,
    tell: Tell,
) -> list[FoldDone]:
    finished, waiting = [], []
    for repeat, folds in enumerate(draws):
        for k in range(folds.n_folds):
            seed = FoldSeed(spec.split.seed, repeat, k)
            job = fold_job(prepared, spec, folds, seed, fold_folder(folder, repeat, k), workers)
            done = read_done(job.folder, job.digest)
            if done is None:
                waiting.append(job)
            else:
                tell("fold_kept", repeat=repeat, fold=k)
                finished.append(done)
    if waiting:
        store, views = prepared.resources.store_dir, prepared.plan.views
        times = forecast(store, spec, len(prepared.table), views, 0, folds=len(waiting))
        tell("forecast", times=times)
    finished += workers.finish([workers.train(job) for job in waiting])
    for fold in finished:
        check_whole(fold_folder(folder, fold.repeat, fold.fold), fold)
    return finished


def _device(folder: Path, done: list[FoldDone]) -> dict[str, str]:
    trained_on = done[-1].device if done else {}
    return read_manifest(folder).device | {f"training_{k}": v for k, v in trained_on.items()}
