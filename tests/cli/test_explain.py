"""`explain` as a user gives it: the right model, the right image, nothing twice."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ensemble_kit.cli.app import app
from ensemble_kit.core.errors import DataError, EnsembleKitError, RunError
from ensemble_kit.heatmaps import explaining
from ensemble_kit.reporting.collect.gallery import shown_images
from ensemble_kit.reporting.collect.overlays import read_overlays
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.runs.folder import read_run
from ensemble_kit.runs.manifest import read_manifest, write_manifest
from tests.heatmaps.conftest import finished, place  # noqa: F401

pytest.importorskip("keras")
RUN = Path("runs/squares")


def explain(*words: str) -> str:
    """Output of the command; its errors are raised."""
    done = CliRunner().invoke(app, ["explain", "squares", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def index() -> list[dict[str, object]]:
    values = json.loads((RUN / "explain/index.json").read_text(encoding="utf-8"))
    assert (values["format"], values["method"]) == (1, "Grad-CAM")
    return list(values["images"])


def pictures() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (RUN / "explain").glob("*.png")}


def test_it_draws_what_the_report_shows(place: Path) -> None:  # noqa: F811
    run = read_run(RUN)
    said = explain("--images", "12")
    assert "from stored activations" in said
    entries = {str(entry["image"]): entry for entry in index()}
    assert set(entries) == set(shown_images(ReportedRun(run), 12))
    for row, name in enumerate(run.table.image_ids.tolist()):
        if name in entries:
            found = entries[name]
            assert found["fold"] == run.folds.fold[row]
            assert found["true"] == run.table.class_names[run.table.labels[row]]
            best = run.predictions.probabilities[row].argmax()
            assert found["predicted"] == found["class"] == run.table.class_names[best]
    overlays = read_overlays(RUN)
    assert {name: o.class_name for name, o in overlays.items()} == {
        name: entry["class"] for name, entry in entries.items()
    }
    with Image.open(RUN / "explain" / str(next(iter(entries.values()))["file"])) as picture:
        assert picture.size == (160, 160)
    recorded = set(read_run(RUN).manifest.files)
    assert {"explain/index.json"} | {f"explain/{e['file']}" for e in entries.values()} <= recorded
    assert not list((RUN / "explain").glob(".*"))


def test_store_and_files_give_the_same_maps(place: Path) -> None:  # noqa: F811
    explain("--images", "8")
    stored = pictures()
    shutil.rmtree(RUN / "explain")
    assert "from pixels" in explain("--images", "8", "--store", "nowhere")
    for name, content in pictures().items():
        (RUN / "a.png").write_bytes(stored[name])
        (RUN / "b.png").write_bytes(content)
        first, second = (
            np.asarray(Image.open(RUN / x).convert("RGB"), int) for x in ("a.png", "b.png")
        )
        assert np.abs(first - second).mean() < 1
    assert 8 <= len(stored) < 36


def test_nothing_is_computed_twice(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    opened: list[Path] = []
    real = explaining.open_fold_model

    def counted(path: Path, backbone: object) -> object:
        opened.append(path)
        return real(path, backbone)  # type: ignore[arg-type]

    monkeypatch.setattr(explaining, "open_fold_model", counted)
    explain("--images", "all")
    assert len(opened) == 2, "each fold model is opened once"
    before = pictures()
    assert len(before) == len(index()) == 36
    assert "36 were there already" in explain("--images", "all")
    assert len(opened) == 2
    next((RUN / "explain").glob("*.png")).write_bytes(b"torn")
    assert "1 heat map drawn" in explain("--images", "all")
    after = pictures()
    assert before.keys() == after.keys()
    changed = [name for name in before if before[name] != after[name]]
    assert len(changed) <= 1, "only the torn map may be drawn anew"
    for name in changed:
        old, new = (np.asarray(Image.open(io.BytesIO(p[name])).convert("RGB"), int)
                    for p in (before, after))  # fmt: skip
        assert np.abs(old - new).mean() < 1, "another batch rounds otherwise, no more"


def test_the_true_class_in_place_of_the_predicted(place: Path) -> None:  # noqa: F811
    name = "I000_0"
    row = read_run(RUN).table.image_ids.tolist().index(name)
    oof = (RUN / "oof.csv").read_text(encoding="utf-8").splitlines()
    assert oof[row + 1].startswith(name)
    explain("--images", name, "--of", "true")
    assert index()[0]["class"] == index()[0]["true"] == "akiec"
    explain("--images", f"{name},I001_0", "--of", "predicted")
    assert [entry["image"] for entry in index()] == ["I000_0", "I001_0"]


def test_images_moved_elsewhere_are_found_by_data(place: Path) -> None:  # noqa: F811
    manifest = read_manifest(RUN)
    shutil.move("data", "moved")
    write_manifest(RUN, manifest.with_(data_root=str(place / "data")))
    with pytest.raises(DataError, match=r"no file of I000_0 .* --data"):
        explain("--images", "I000_0")
    assert not (RUN / "explain").exists()
    explain("--images", "I000_0", "--data", "moved/images")
    assert len(index()) == 1


def test_another_picture_of_the_name_is_refused(place: Path) -> None:  # noqa: F811
    """Also where what is drawn comes from stored activations; without the pixels it is computed."""
    shutil.copytree("data", "other")
    files = {p.stem: p for p in Path("other").rglob("I*_*") if p.is_file()}
    files["I000_0"].write_bytes(files["I003_1"].read_bytes())
    with pytest.raises(DataError, match=r"I000_0.*: the picture is not the one that the run"):
        explain("--images", "I000_0", "--data", "other/images")
    assert not (RUN / "explain").exists()
    shutil.rmtree("store/pixels")
    assert "from pixels" in explain("--images", "I001_0")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--images", "I000_0,nobody,nothing"), "no image nobody, nothing"),
        (("--images", "0"), "names no image"),
        (("--images", ","), "names no image"),
        (("--images", "../../x"), "no image"),
        (("--data", "nowhere"), "is no folder"),
    ],
)
def test_what_cannot_be_explained_is_said(place: Path, words: tuple[str, str], said: str) -> None:  # noqa: F811
    with pytest.raises(EnsembleKitError, match=said):
        explain(*words)
    assert not (RUN / "explain").exists()


def test_a_model_that_is_not_the_runs_is_refused(place: Path) -> None:  # noqa: F811
    shutil.copy(RUN / "fold_1/model.keras", RUN / "fold_0/model.keras")
    with pytest.raises(RunError, match="sha256 differs"):
        explain("--images", "all")
    (RUN / "fold_0/model.keras").unlink()
    with pytest.raises(RunError, match="is missing"):
        explain("--images", "all")
    assert not (RUN / "explain").exists()


def test_the_model_that_saw_the_image_would_be_noticed(place: Path) -> None:  # noqa: F811
    """Swapped models with a manifest that agrees give other probabilities than recorded."""
    files = dict(read_manifest(RUN).files)
    (RUN / "fold_0/model.keras").rename(RUN / "x")
    (RUN / "fold_1/model.keras").rename(RUN / "fold_0/model.keras")
    (RUN / "x").rename(RUN / "fold_1/model.keras")
    one, other = "fold_0/model.keras", "fold_1/model.keras"
    files[one], files[other] = files[other], files[one]
    write_manifest(RUN, read_manifest(RUN).with_(files=files))
    with pytest.raises(RunError, match="other probabilities than the run recorded"):
        explain("--images", "all")


def test_a_run_without_models_is_refused(place: Path) -> None:  # noqa: F811
    write_manifest(RUN, read_manifest(RUN).with_(kind="evaluate"))
    with pytest.raises(RunError, match="has no fold models"):
        explain()
