"""Fetching published files by DOI: pooch finds and checks them, partial files are gone on with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import requests
from pooch import Pooch, get_logger
from pooch.downloaders import DataverseRepository, doi_to_repository

from ensemble_kit.core.disk import make_folder, writing
from ensemble_kit.core.errors import DataError

TIMEOUT = 30.0
BLOCK = 1 << 18
TRIES = 20
"""Times a broken transfer is taken up again, as long as each brings something."""
BROKEN = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)

Advance = Callable[[int], None]


class Begin(Protocol):
    """Told of a file's name, its bytes in all (0: unknown) and how many are there already."""

    def __call__(self, name: str, total: int, there: int, /) -> Advance: ...


@dataclass(frozen=True)
class Published:
    """Files of a data publication: name -> URL, and name -> md5 as its registry states it."""

    doi: str
    urls: Mapping[str, str]
    md5: Mapping[str, str]


def look_up(doi: str, server: str | None = None) -> Published:
    """Ask the repository behind a DOI what it holds.

    server : base URL of a Dataverse that holds the publication, instead of the one the DOI
    resolves to. Raises DataError where nobody answers.
    """
    try:
        if server:
            repository = DataverseRepository.initialize(doi, server, timeout=TIMEOUT)
        else:
            repository = doi_to_repository(doi, timeout=TIMEOUT)
        if repository is None:
            raise ValueError("it holds no such publication")
        registry = Pooch(path=Path(), base_url="")
        repository.populate_registry(registry)
        urls = {name: str(repository.download_url(name)) for name in registry.registry}
    except requests.RequestException as error:
        raise unreachable(server or f"https://doi.org/{doi}", error) from None
    except (ValueError, KeyError, TypeError) as error:
        place = server or f"https://doi.org/{doi}"
        raise DataError(
            f"{place} did not answer as a data repository does ({error}); try again later"
        ) from None
    md5 = {name: str(value).removeprefix("md5:") for name, value in registry.registry.items()}
    return Published(doi, urls, md5)


def fetch_file(
    published: Published, name: str, folder: Path, begin: Begin, *, checked: bool = True
) -> Path:
    """Bring one file into ``folder`` and return its path; one that is there whole is kept.

    An interrupted transfer leaves ``.<name>.part`` and is continued. checked : compare with the
    publication's md5 (Dataverse states none for tables it has converted).
    Raises DataError for a dead network or wrong contents.
    """
    known = f"md5:{published.md5[name]}" if checked else None
    url = published.urls[name] if checked else f"{published.urls[name]}?format=original"
    make_folder(folder)
    get_logger().setLevel("WARNING")
    pooch = Pooch(folder, base_url="", registry={name: known}, urls={name: url})
    try:
        return Path(pooch.fetch(name, downloader=Resuming(folder / f".{name}.part", name, begin)))
    except requests.RequestException as error:
        raise unreachable(url, error) from None
    except ValueError as error:
        if "hash" not in str(error):
            raise
        raise DataError(
            f"{url}: what came is not the published {name} (its md5 differs from "
            f"{published.md5[name]}); it was thrown away: give the command again"
        ) from None


def unreachable(url: str, error: Exception) -> DataError:
    """One sentence for every way a network can fail."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    why = f"status {status}" if status else type(error).__name__
    return DataError(
        f"cannot fetch {url} ({why}): check the network and give the command again; what has come "
        "so far is kept and continued"
    )


@dataclass
class Resuming:
    """A pooch downloader that keeps what has come and asks for the rest."""

    partial: Path
    name: str
    begin: Begin

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        for _ in range(TRIES):
            there = self._there()
            try:
                self._transfer(url)
                break
            except BROKEN:
                if self._there() <= there:
                    raise
        else:
            raise requests.ConnectionError("the connection broke again and again")
        self.partial.replace(output_file)

    def _there(self) -> int:
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def _transfer(self, url: str) -> None:
        there = self._there()
        headers = {"Range": f"bytes={there}-"} if there else {}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:
                self.partial.unlink()
                raise requests.ConnectionError("the partial file is longer than the published one")
            answer.raise_for_status()
            if answer.status_code != 206:
                there = 0
            rest = int(answer.headers.get("Content-Length") or 0)
            advance = self.begin(self.name, there + rest if rest else 0, there)
            with writing(self.partial, rest), self.partial.open("ab" if there else "wb") as file:
                for block in answer.iter_content(BLOCK):
                    file.write(block)
                    advance(len(block))
