"""Where the command line begins: Ctrl-C is a sentence from the first import on."""

import sys
from typing import Never


def main() -> Never:
    """Load the app and run it; see :func:`ensemble_kit.cli.app.main`."""
    try:
        from ensemble_kit.cli.app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted; nothing was begun\n")
        sys.exit(130)
    run()
