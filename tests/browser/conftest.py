"""A browser, and the pages it opens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ensemble_kit.reporting.collect.report import build_report
from ensemble_kit.reporting.page.page import render_page
from ensemble_kit.runs.folder import Run
from tests.browser.chromium import Chromium, find_chromium
from tests.reporting.conftest import (  # noqa: F401
    LONG,
    MakeRun,
    hostile_run,
    lesion_table,
    make_run,
    plain_run,
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium here: install Debian's `chromium` to run the browser tests")
    with Chromium(executable, tmp_path_factory.mktemp("profile")) as driven:
        yield driven


@pytest.fixture(scope="session")
def plain_page(plain_run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:  # noqa: F811
    return _write(plain_run, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def hostile_page(hostile_run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:  # noqa: F811
    return _write(hostile_run, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def long_page(make_run: MakeRun, tmp_path_factory: pytest.TempPathFactory) -> str:  # noqa: F811
    run = make_run("long", table=lesion_table(names=LONG))
    return _write(run, tmp_path_factory.mktemp("page"))


def _write(run: Run, folder: Path) -> str:
    page = folder / "page.html"
    page.write_text(render_page(build_report(run.folder)), encoding="utf-8")
    return page.as_uri()
