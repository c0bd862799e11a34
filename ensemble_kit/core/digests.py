"""One digest for whatever a stored thing depends on."""

import hashlib
import sys


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
