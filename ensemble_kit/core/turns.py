"""Processes that take turns: locks that the system drops when their holder dies.

Where the system has no such locks (Windows; some network file systems for folders), none is held.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


def hold(file: int, *, shared: bool = False, wait: bool = True) -> None:
    """Lock an open file or folder until it is closed. wait : False raises BlockingIOError where
    another process holds it."""
    try:
        import fcntl
    except ImportError:
        return
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


@contextmanager
def turn_in(folder: Path) -> Iterator[None]:
    """Wait for the one turn that a folder has: for steps of milliseconds. Leaves no file."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        yield
        return
    try:
        hold(opened)
        yield
    finally:
        os.close(opened)
