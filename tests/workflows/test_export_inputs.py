"""Members of an ensemble that see images otherwise share no exported file."""

from types import SimpleNamespace

import pytest

from ensemble_kit.core.errors import RunError
from ensemble_kit.study import ModelSpec
from ensemble_kit.workflows import export as exporting


def shipped(*specs):
    members = [
        SimpleNamespace(
            name=f"m{k}", spec=ModelSpec(**spec), sees_images=True, input=tuple(spec.values())
        )
        for k, spec in enumerate(specs)
    ]
    run = SimpleNamespace(name="both", manifest=SimpleNamespace(kind="ensemble", facts={}))
    return SimpleNamespace(run=run, members=members, sets=None, keep_off=lambda place, option: None)


@pytest.mark.parametrize(
    "other", [{"image_size": 128, "aspect": "pad"}, {"image_size": 96, "aspect": "crop"}]
)
def test_members_of_other_size_or_shape_are_refused_before_any_work(tmp_path, monkeypatch, other):
    """One aspect's pixels given to a member of another would be predictions of another picture."""
    two = shipped({"image_size": 96, "aspect": "pad"}, other)
    monkeypatch.setattr(exporting, "open_shipped", lambda folder, coverage: two)
    monkeypatch.setattr(exporting, "check_sets", lambda sets: True)
    monkeypatch.setattr(exporting, "warm_up", lambda threads: pytest.fail("work was begun"))
    with pytest.raises(RunError, match=r"m0 \(96 px, pad\), m1 .*cannot share one"):
        exporting.export(tmp_path / "run", tmp_path / "out")
    assert not list(tmp_path.iterdir())
