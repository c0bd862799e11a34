"""Members of an ensemble as the page ranks by them: files and repeats too, all or none."""

from pathlib import Path

import numpy as np

from ensemble_kit.reporting.collect.ensemble import member_probabilities
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.runs.folder import read_run
from ensemble_kit.study import EvaluationSpec
from ensemble_kit.workflows.ensemble import EnsembleSettings, ensemble
from tests.cli.test_ensemble import ROWS, frame


def test_members_that_are_files_count_and_none_counts_where_one_is_gone(tmp_path: Path) -> None:
    paths = [tmp_path / f"model_{m}.csv" for m in range(3)]
    for m, path in enumerate(paths):
        table = frame(m)
        if m == 1:  # another order of classes and rows
            table = table[["image", "c", "b", "a", "dx", "fold", "lesion_id"]].iloc[::-1]
        table.to_csv(path, index=False)
    done = ensemble(
        paths, settings=EnsembleSettings("mean", "none"), runs_dir=tmp_path / "runs",
        evaluation=EvaluationSpec(replicates=0, malignant=()),
    )  # fmt: skip
    source = ReportedRun(read_run(done.run.folder))
    found = member_probabilities(source)
    assert np.stack(found).shape == ROWS.members.shape
    assert np.allclose(np.stack(found), ROWS.members, atol=1e-12)
    paths[2].unlink()
    assert member_probabilities(source) == []
