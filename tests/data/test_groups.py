"""Groups against a plain union-find."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ensemble_kit.data.groups import union_groups


def _plain(lesions: list[str], patients: list[str], pairs: list[tuple[int, int]]) -> list[int]:
    """The smallest row of each row's component, by repeated merging."""
    root = list(range(len(lesions)))
    changed = True
    links = list(pairs)
    for names in (lesions, patients):
        links += [
            (a, b) for a in range(len(names)) for b in range(a) if names[a] and names[a] == names[b]
        ]
    while changed:
        changed = False
        for a, b in links:
            low = min(root[a], root[b])
            changed = changed or root[a] != root[b]
            root[a] = root[b] = low
    return root


names = st.sampled_from(["", "a", "b", "c", "d", "img1", "img2"])


@given(st.data(), st.lists(st.tuples(names, names), min_size=1, max_size=12))
def test_groups_are_the_connected_components(
    data: st.DataObject, rows: list[tuple[str, str]]
) -> None:
    n = len(rows)
    index = st.integers(0, n - 1)
    pairs = data.draw(st.lists(st.tuples(index, index), max_size=4))
    lesions, patients = [row[0] for row in rows], [row[1] for row in rows]
    groups = union_groups(
        np.array([f"img{number}" for number in range(n)]),
        np.array(lesions, dtype=np.str_),
        np.array(patients, dtype=np.str_),
        np.array(pairs, dtype=np.int64).reshape(-1, 2),
    )
    plain = _plain(lesions, patients, pairs)
    same = np.equal.outer(groups, groups)
    assert (same == np.equal.outer(plain, plain)).all()


def test_ids_that_differ_in_case_blanks_or_zeros_alone_are_named():
    from ensemble_kit.data.metadata import spelling_warnings

    patients = np.array(["P0", "p0", "7", "007", "A 1", "a1", "x", "", ""])
    [said] = spelling_warnings(patients, np.full(9, ""))
    for pair in ("'P0' and 'p0'", "'007' and '7'", "'A 1' and 'a1'"):
        assert pair in said
    assert "patient ids" in said
    assert spelling_warnings(np.array(["p1", "p10", "p01"]), np.array(["a", "b", ""])) == []
