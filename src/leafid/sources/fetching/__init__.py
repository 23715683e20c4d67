"""Fetching from the web: client, addresses, downloads, IIIF, the journal of what was fetched."""
