"""Words of dermatology come from one file, which a study can replace."""

import pytest

from ensemble_kit.core.errors import StudyError
from ensemble_kit.study import StudySpec, parse_study, with_settings
from ensemble_kit.study.vocabulary import read_vocabulary


def test_carcinomas_and_their_precursors_count_as_malignant():
    assert read_vocabulary().malignant == ("ak", "akiec", "bcc", "mel", "scc")
    assert StudySpec().evaluation.malignant == ("ak", "akiec", "bcc", "mel", "scc")


def test_another_data_set_gets_none_of_the_words():
    words = read_vocabulary()
    assert words.full_names(["MEL", "nv", "other"]) == ("melanoma", "melanocytic naevus", "")
    assert words.full_names(["cat", "dog", "df"]) == ("", "", ""), "one chance match is no evidence"


def test_a_study_can_name_its_own(tmp_path):
    file = tmp_path / "birds.toml"
    file.write_text('[classes.Hawk]\nname = "red-tailed hawk"\nmalignant = true\n[classes.tit]\n')
    expected = ("hawk",)
    by_file = parse_study(f"[data]\nvocabulary = '{file}'", "s.toml")
    assert by_file.evaluation.malignant == expected
    assert parse_study(by_file.to_toml(), "again") == by_file
    option = with_settings(StudySpec(), [f"data.vocabulary={file}"])
    assert option.evaluation.malignant == expected
    both = {"data": {"vocabulary": str(file)}, "evaluation": {"malignant": ("tit",)}}
    assert StudySpec().override(both).evaluation.malignant == ("tit",)
    assert read_vocabulary(file).full_names(["hawk", "tit"]) == ("red-tailed hawk", "")
    assert by_file.digest == StudySpec().digest, "words do not change what is trained"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("[classes", "not TOML"),
        ("[classes.mel]\nnome = 'x'", "classes.mel.nome"),
        ("classes = 3", "a vocabulary is TOML"),
    ],
)
def test_a_bad_file_is_a_sentence(tmp_path, text, said):
    file = tmp_path / "words.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(StudyError, match=said):
        parse_study(f"[data]\nvocabulary = '{file}'", "s.toml")
