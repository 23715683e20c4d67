"""Pages of a search service: asked for once, and kept in the journal so that an interrupted collection goes on."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from leafid.errors import SourceError
from leafid.sources.fetching.body import parse_json
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient


async def search_page(
    service: str,
    address: str,
    client: WebClient,
    journal: Journal,
    *,
    items: str,
    query: Mapping[str, str | list[str]] | None = None,
    body: Mapping[str, object] | None = None,
) -> Mapping[str, Any]:
    """Return one page of a search, from the journal if it is there.

    Args:
        service: its name, for messages.
        address: of the search.
        client: the HTTP client.
        journal: keeps the replies.
        items: the key of the list that every page has.
        query: the parameters of a GET request; or
        body: the JSON of a POST request.

    Raises:
        SourceError: the service cannot be reached, refuses the query, or its reply has no such list.
    """
    request = f"POST {address} {json.dumps(body, sort_keys=True)}" if query is None else _with_query(address, query)
    cached = journal.cached_reply(request)
    try:
        reply = cached or await client.fetch_bytes(address, query=query, body=body)
        page = parse_json(reply, address)
    except FetchError as error:
        raise SourceError(f"{service}'s search failed. {error.detail} ({request})") from None
    if not isinstance(page, dict) or not isinstance(page.get(items), list):
        raise SourceError(f"{service}'s search returned an unreadable reply (no list of {items}): {request}")
    if cached is None:
        journal.cache_reply(request, reply)
    return page


def _with_query(address: str, query: Mapping[str, str | list[str]]) -> str:
    return f"{address}?{urlencode(query, doseq=True)}"
