"""Processes that end with the one that started them, whatever ended that one.

This module imports nothing slow: a process that has just been started looks here first.
"""

import os
import signal
import threading
import time

POLL_SECONDS = 0.1


def end_with(parent: int) -> None:
    """Begin a started process: leave Ctrl-C and SIGTERM to the parent, end once it is gone.

    parent : id of the process that asked for this one, told by itself: the parent that the system
    names may be another already, where ours was killed meanwhile.
    """
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os._exit(1)
