"""GBIF downloads: any number of records as one archive with a DOI; requested once, waited for, fetched, kept."""

import asyncio
import base64
import json
import netrc
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from leafid.errors import SourceError
from leafid.jobs import ArchiveSource, GbifDownloadSource, Job
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.found import Failure
from leafid.sources.providers.gbif import BASIS
from leafid.sources.providers.name_resolution import ResolvedTaxa
from leafid.sources.providers.occurrences import Occurrence, text_of
from leafid.sources.providers.publisher_archive import fetch_archive, read_archive

WORKING = ("PREPARING", "RUNNING", "SUSPENDED")
READY = "SUCCEEDED"
REASONS = {
    "KILLED": "GBIF ended it",
    "CANCELLED": "it was cancelled",
    "FAILED": "GBIF could not make it",
    "FILE_ERASED": "its file was erased; GBIF keeps files for six months unless they are cited",
}


async def download_gbif(
    source: GbifDownloadSource, job: Job, taxa: ResolvedTaxa, client: WebClient, journal: Journal
) -> AsyncIterator[Occurrence | Failure | str]:
    """Yield the occurrences of a GBIF download, which is requested unless it exists already.

    The key of a requested download is kept in the journal: the same command waits for the same download, and fetches
    its file only once.

    Raises:
        SourceError: user name and password are missing or wrong, GBIF refuses the request, or the download failed.
    """
    if job.taxa is None or not job.taxa.entries:
        raise SourceError("sources: kind gbif_download needs the taxa of the job. Add a section `taxa`.")
    predicate = predicate_of(source, taxa)
    question = json.dumps(predicate, sort_keys=True)
    key = source.key or journal.download_key(question)
    if key is None:
        key = await request_download(predicate, taxa, client)
        journal.note_download(question, key)
    yield f"GBIF download {key}: https://www.gbif.org/occurrence/download/{key}"
    answer = await _finished(key, source, client, journal, question)
    path = job.data_folder / "archives" / f"{key}.zip"
    size = answer.get("size")
    if not path.is_file() or (isinstance(size, int) and size and path.stat().st_size != size):
        address = f"{client.settings.gbif_url}/v1/occurrence/download/request/{key}.zip"
        await fetch_archive(address, path, client, journal)
    doi = text_of(answer.get("doi"))
    archive = ArchiveSource(kind="archive", path=path, doi=doi, domain=source.domain)
    async for one in read_archive(archive, job, taxa, client, journal, named=source.kind):
        yield one


def predicate_of(source: GbifDownloadSource, taxa: ResolvedTaxa) -> dict[str, Any]:
    """Return what is asked of GBIF: sheets (or field photos) of the job's taxa that have images."""
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
    """Ask GBIF to make a download; return its key.

    Raises:
        SourceError: without user name and password, or when GBIF refuses.
    """
    base = client.settings.gbif_url
    user, password = credentials(urlsplit(base).hostname or "")
    checklists = {resolved.checklist for resolved in taxa.by_entry.values()}
    body: dict[str, Any] = {"creator": user, "sendNotification": False, "format": "DWCA", "predicate": predicate}
    if len(checklists) == 1:
        body["checklistKey"] = checklists.pop()
    try:
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        reply = await client.reply(f"{base}/v1/occurrence/download/request", body=body, authorization=f"Basic {secret}")
    except FetchError as trouble:
        if trouble.reason in ("http_401", "http_403"):
            raise SourceError(
                f"GBIF does not accept the user name {user!r} with this password. Use those of gbif.org, not of ORCID "
                "or Google, in GBIF_USER and GBIF_PWD or in ~/.netrc."
            ) from None
        if trouble.reason == "http_413":
            raise SourceError("GBIF finds the request too complex. Split the taxa over several jobs.") from None
        raise SourceError(f"GBIF did not take the request. {trouble.detail}") from None
    return reply.decode("utf-8", "replace").strip().strip('"')


def credentials(host: str) -> tuple[str, str]:
    """Return user name and password from the environment, or from ~/.netrc; never from a job.

    Raises:
        SourceError: there are none.
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


async def _finished(
    key: str, source: GbifDownloadSource, client: WebClient, journal: Journal, question: str
) -> Mapping[str, Any]:
    """Wait until GBIF has made the file; return what it says about it."""
    while True:
        try:
            answer = await client.json(f"{client.settings.gbif_url}/v1/occurrence/download/{key}")
        except FetchError as trouble:
            if trouble.reason == "http_404":
                journal.note_download(question, None)
            raise SourceError(f"GBIF download {key}: {trouble.detail}") from None
        status = str(answer.get("status"))
        if status == READY:
            return answer if isinstance(answer, dict) else {}
        if status not in WORKING:
            journal.note_download(question, None)  # the next call asks for a new one
            reason = REASONS.get(status, f"its status is {status}")
            raise SourceError(f"GBIF download {key} gives nothing: {reason}.")
        await asyncio.sleep(source.poll)
