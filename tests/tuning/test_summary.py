"""What a search leaves behind: a study to run, a record for reports, pictures."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from ensemble_kit.core.errors import SearchError
from ensemble_kit.core.program import program
from ensemble_kit.study import read_study
from ensemble_kit.tuning.plots import write_plots
from ensemble_kit.tuning.summary import summarise, take_record, write_best, write_tuning
from tests.tuning.bench import search, small_study, small_table


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    spec = small_study().override({"search": {"trials": 14}})
    study, _ = search(folder, spec)
    return study, spec, folder


def test_the_best_study_opens_with_its_command_and_what_to_expect(searched, tmp_path):
    study, spec, _ = searched
    table = small_table()
    result = summarise(study, "bench", spec, table)
    path = tmp_path / "bench.best.toml"
    write_best(result, path, "python cli.py tune --study x.toml", spec.search)
    head = path.read_text().splitlines()[:5]
    assert "About 1 minute" in head.pop(1)
    assert head[0] == f"# {program()} cv --study {path}"
    assert "tune --study x.toml" in head[1]
    assert f"{study.best_value:.4f}" in head[2]
    assert "--nested" in head[3]
    best = read_study(path)
    assert best == result.spec
    assert best.tuned_on == table.digest
    assert (best.name, best.tuned_by) == ("bench.best", "bench")
    assert best.training.head_lr == study.best_params["head_lr"]
    assert best.model.dropout == study.best_params["dropout"]


def test_the_record_says_how_every_trial_went(searched, tmp_path):
    study, spec, _ = searched
    result = summarise(study, "bench", spec, small_table())
    values = json.loads(write_tuning(result, tmp_path, spec.search).read_text())
    assert len(values["trials"]) == 14
    assert values["best"] == study.best_trial.number
    assert values["metric"] == "log_loss"
    assert values["direction"] == "minimize"
    for trial in values["trials"]:
        assert (trial["pruned_after"] is None) == (trial["state"] == "COMPLETE")
    assert set(values["importance"]) <= set(spec.search.space)
    assert max(values["importance"], key=values["importance"].get) == "head_lr"
    assert "flatters" in values["note"]


def test_the_report_reads_the_record(searched, tmp_path):
    from types import SimpleNamespace

    from ensemble_kit.reporting.collect.training import build_tuning

    study, spec, _ = searched
    result = summarise(study, "bench", spec, small_table())
    write_tuning(result, tmp_path, spec.search)
    view = build_tuning(SimpleNamespace(run=SimpleNamespace(folder=tmp_path)))
    assert [t.state for t in view.trials] == [t.state for t in result.trials]
    assert view.importance.keys() == result.importance.keys()
    assert view.trials[0].parameters["head_lr"] == pytest.approx(1e-3)


def test_the_record_follows_a_tuned_study_into_its_run(searched, tmp_path):
    study, spec, _ = searched
    result = summarise(study, "bench", spec, small_table())
    record = write_tuning(result, tmp_path / "store" / "bench", spec.search)
    run = tmp_path / "run"
    run.mkdir()
    file = tmp_path / "bench.best.toml"
    assert take_record(file.parent, result.spec, run) == "tuning.json"
    assert (run / "tuning.json").read_bytes() == record.read_bytes()
    assert take_record(tmp_path / "elsewhere", result.spec, run) is None
    assert take_record(file.parent, spec, run) is None


def test_a_search_without_a_complete_trial_says_why(tmp_path):
    def fail(spec, fold):
        raise MemoryError("out of memory")

    study, _ = search(tmp_path, small_study(), before=fail)
    with pytest.raises(SearchError, match="none of its trials is complete; trial 0: out of memory"):
        summarise(study, "bench", small_study(), small_table())


def test_pictures_are_whole_and_the_same_each_time(searched, tmp_path):
    study, spec, _ = searched
    first = write_plots(study, spec.search, tmp_path / "a")
    second = write_plots(study, spec.search, tmp_path / "b")
    assert {path.stem for path in first} == {"history", "slice", "parallel_coordinate",
                                             "importance"}  # fmt: skip
    for a, b in zip(first, second, strict=True):
        assert ElementTree.parse(a).getroot().tag.endswith("svg")
        assert a.read_bytes() == b.read_bytes()


def test_pictures_of_few_trials_and_of_two_objectives(tmp_path):
    few = small_study().override({"search": {"trials": 1}})
    assert len(write_plots(search(tmp_path, few)[0], few.search, tmp_path / "few")) == 3
    both = small_study().override({"search": {"cost": True, "trials": 4}})
    study, _ = search(tmp_path, both, name="both")
    assert len(write_plots(study, both.search, tmp_path / "both")) == 3
