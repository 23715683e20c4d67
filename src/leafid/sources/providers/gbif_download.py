"""Request GBIF downloads: any number of records as one archive with a DOI."""

import asyncio
import base64
import json
import netrc
import os
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from leafid.errors import SourceError
from leafid.jobs import ArchiveSource, GbifDownloadSource, Job
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.providers.gbif import BASIS
from leafid.sources.providers.name_resolution import ResolvedTaxa
from leafid.sources.providers.occurrences import Occurrence, text_or_none
from leafid.sources.providers.publisher_archive import fetch_archive, read_archive
from leafid.sources.source_result import Failure

PENDING_STATUSES = ("PREPARING", "RUNNING", "SUSPENDED")
READY_STATUS = "SUCCEEDED"
FAILED_STATUSES = {
    "KILLED": "GBIF stopped it",
    "CANCELLED": "it was cancelled",
    "FAILED": "GBIF could not create it",
    "FILE_ERASED": "its file was deleted; GBIF keeps files for six months unless they are cited",
}


async def download_gbif(
    source: GbifDownloadSource, job: Job, taxa: ResolvedTaxa, client: WebClient, journal: Journal
) -> AsyncIterator[Occurrence | Failure | str]:
    """Yield the occurrences of a GBIF download, which is requested unless it exists already.

    The journal stores the key of a requested download, so that a second call waits for the same download and fetches
    its file only once.

    Raises:
        SourceError: user name and password are missing or wrong, GBIF refuses the request, or the download failed.
    """
    if job.taxa is None or not job.taxa.entries:
        raise SourceError("sources: kind gbif_download needs the taxa of the job. Add a section `taxa`.")
    predicate = download_predicate(source, taxa)
    predicate_text = json.dumps(predicate, sort_keys=True)
    key = source.key or journal.download_key(predicate_text)
    if key is None:
        key = await request_download(predicate, taxa, client)
        journal.set_download_key(predicate_text, key)
    yield f"GBIF download {key}: https://www.gbif.org/occurrence/download/{key}"
    description = await _wait_until_ready(key, source, client, journal, predicate_text)
    path = job.data_folder / "archives" / f"{key}.zip"
    size = description.get("size")
    if not path.is_file() or (isinstance(size, int) and size and path.stat().st_size != size):
        address = f"{client.settings.gbif_url}/v1/occurrence/download/request/{key}.zip"
        await fetch_archive(address, path, client, journal)
    doi = text_or_none(description.get("doi"))
    archive = ArchiveSource(kind="archive", path=path, doi=doi, domain=source.domain)
    async for one in read_archive(archive, job, taxa, client, journal, source_kind=source.kind):
        yield one


def download_predicate(source: GbifDownloadSource, taxa: ResolvedTaxa) -> dict[str, Any]:
    """Return the predicate of the download: specimens (or field photos) of the job's taxa with images."""
    keys = sorted(resolved.key for resolved in taxa.by_entry.values())
    return {
        "type": "and",
        "predicates": [
            {"type": "in", "key": "TAXON_KEY", "values": keys},
            {"type": "equals", "key": "MEDIA_TYPE", "value": "StillImage"},
            {"type": "equals", "key": "BASIS_OF_RECORD", "value": BASIS[source.domain]},
            {"type": "equals", "key": "OCCURRENCE_STATUS", "value": "present"},
        ],
    }


async def request_download(predicate: Mapping[str, Any], taxa: ResolvedTaxa, client: WebClient) -> str:
    """Request a download from GBIF and return its key.

    Raises:
        SourceError: user name and password are missing, or GBIF refuses the request.
    """
    base = client.settings.gbif_url
    user, password = credentials(urlsplit(base).hostname or "")
    checklists = {resolved.checklist for resolved in taxa.by_entry.values()}
    body: dict[str, Any] = {"creator": user, "sendNotification": False, "format": "DWCA", "predicate": predicate}
    if len(checklists) == 1:
        body["checklistKey"] = checklists.pop()
    try:
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        reply = await client.fetch_bytes(
            f"{base}/v1/occurrence/download/request", body=body, authorization=f"Basic {secret}"
        )
    except FetchError as error:
        if error.reason in ("http_401", "http_403"):
            raise SourceError(
                f"GBIF does not accept the user name {user!r} with this password. Use those of gbif.org, not of ORCID "
                "or Google, in GBIF_USER and GBIF_PWD or in ~/.netrc."
            ) from None
        if error.reason == "http_413":
            raise SourceError("GBIF refuses the request as too complex. Split the taxa over several jobs.") from None
        raise SourceError(f"GBIF refused the request. {error.detail}") from None
    key = reply.decode("utf-8", "replace").strip().strip('"')
    if not re.fullmatch(r"[\w-]{1,100}", key):  # it becomes part of a path
        raise SourceError(f"GBIF answered the request for a download with {key[:100]!r} instead of a key.")
    return key


def credentials(host: str) -> tuple[str, str]:
    """Return user name and password from the environment, or from ~/.netrc; never from a job.

    Raises:
        SourceError: neither contains them.
    """
    user, password = os.environ.get("GBIF_USER"), os.environ.get("GBIF_PWD")
    if user and password:
        return user, password
    file = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        found = netrc.netrc(str(file)).authenticators(host) if file.is_file() else None
    except (netrc.NetrcParseError, OSError) as error:
        raise SourceError(f"{file} cannot be read: {error}.") from None
    if found and found[0] and found[2]:
        return found[0], found[2]
    raise SourceError(
        "A GBIF download needs your user name and password of gbif.org: set the environment variables GBIF_USER and "
        f"GBIF_PWD, or write `machine {host} login NAME password PASSWORD` into {file}."
    )


async def _wait_until_ready(
    key: str, source: GbifDownloadSource, client: WebClient, journal: Journal, predicate_text: str
) -> Mapping[str, Any]:
    """Wait until GBIF has created the file; return its description of the download."""
    while True:
        try:
            description = await client.fetch_json(f"{client.settings.gbif_url}/v1/occurrence/download/{key}")
        except FetchError as error:
            if error.reason == "http_404":
                journal.set_download_key(predicate_text, None)
            raise SourceError(f"GBIF download {key}: {error.detail}") from None
        if not isinstance(description, dict):
            raise SourceError(f"GBIF download {key}: the description of GBIF cannot be read.")
        status = str(description.get("status"))
        if status == READY_STATUS:
            return description
        if status not in PENDING_STATUSES:
            journal.set_download_key(predicate_text, None)  # the next call requests a new one
            reason = FAILED_STATUSES.get(status, f"its status is {status}")
            fix = "Take `key` out of the source" if source.key else "Repeat the command"
            raise SourceError(f"GBIF download {key} has no file: {reason}. {fix} to request a new download.")
        await asyncio.sleep(source.poll)
