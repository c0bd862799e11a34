"""What was evaluated: classes, images, groups, folds."""

from ensemble_kit.reporting.view.base import Table, Value


class ClassInfo(Value):
    """One class. ``images``, ``groups``: how many have it. ``by_fold``: images a fold."""

    name: str
    full_name: str = ""
    images: int
    groups: int
    by_fold: tuple[int, ...] = ()
    malignant: bool = False


class FlowStep(Value):
    """A box of the flow diagram: what came in; ``removed`` is what left before the next box."""

    title: str
    lines: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Data(Value):
    """The images and how they were parted.

    group_sizes : (images in a group, how many groups have so many).
    crossing_groups : groups found in more than one fold (the certificate says 0).
    group_rule : what a group is made of ("patient", "lesion" …). groups_known : false where no
    lesion, patient or group is named, so that every image counts as a group of its own.
    characteristics : age, sex … by class, as a table of counts.
    """

    source: str
    images: int
    groups: int
    lesions: int
    patients: int
    n_folds: int
    crossing_groups: int
    group_rule: str
    groups_known: bool = True
    folds_digest: str = ""
    data_digest: str = ""
    group_sizes: tuple[tuple[int, int], ...] = ()
    classes: tuple[ClassInfo, ...] = ()
    flow: tuple[FlowStep, ...] = ()
    characteristics: Table = Table(columns=())
