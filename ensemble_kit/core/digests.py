"""One digest for whatever a stored thing depends on."""

import hashlib
import sys
from collections.abc import Mapping


def digest_of(*parts: object) -> str:
    """sha256 (hex) of the parts: arrays by dtype, shape and bytes; everything else by ``repr``."""
    numpy = sys.modules.get("numpy")  # without numpy no part is an array: studies need none
    sha = hashlib.sha256()
    for part in parts:
        if numpy is not None and isinstance(part, numpy.ndarray):
            sha.update(f"{part.dtype.str}{part.shape}".encode())
            sha.update(numpy.ascontiguousarray(part).tobytes())
        else:
            sha.update(repr(part).encode())
        sha.update(b"\x00")
    return sha.hexdigest()


def sealed(values: Mapping[str, object], *without: str) -> dict[str, object]:
    """The values with the digest of them all (``seal``), but for those named in ``without``."""
    open_ = {key: value for key, value in values.items() if key != "seal"}
    counted = sorted((key, value) for key, value in open_.items() if key not in without)
    return open_ | {"seal": digest_of(*counted)}


def seal_holds(values: Mapping[str, object], *without: str) -> bool:
    """Whether sealed values are those that were sealed. Values without a seal are taken as they
    are: stores of earlier versions have none."""
    return "seal" not in values or sealed(values, *without)["seal"] == values["seal"]
