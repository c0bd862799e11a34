"""The page as PDF, printed by a Chromium that is already there."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from ensemble_kit.core.atomic import write_bytes
from ensemble_kit.core.errors import RunError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-pdf-header-footer",
)  # fmt: skip
SECONDS = 120


def find_browser() -> str | None:
    """The path of a Chromium or Chrome, if one is installed."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def print_pdf(page: Path, to: Path) -> None:
    """Print an HTML file to PDF; a missing or failing browser is a :class:`RunError`."""
    browser = find_browser()
    if browser is None:
        raise RunError(
            f"no Chromium or Chrome found to make the PDF: install one, or open {page} and print it"
        )
    with tempfile.TemporaryDirectory() as profile:
        made = Path(profile) / "page.pdf"
        command = [browser, *FLAGS, f"--user-data-dir={profile}/profile", f"--print-to-pdf={made}"]
        try:
            subprocess.run(
                [*command, page.resolve().as_uri()],
                capture_output=True, timeout=SECONDS, check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise RunError(
                f"{browser} could not print {page} ({error}); open the page and print it"
            ) from None
        if not made.is_file():
            raise RunError(f"{browser} wrote no PDF of {page}; open the page and print it")
        write_bytes(to, made.read_bytes())
