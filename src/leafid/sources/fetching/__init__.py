"""Fetching from the web: HTTP client, address checks, downloads, IIIF, image store and journal."""
