"""Check the links of a built site that stay inside it: files and anchors. Addresses of other sites are not fetched.

python scripts/check_links.py build/docs
"""

import argparse
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit


class _Page(HTMLParser):
    """The links of a page, and the anchors that others can name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect addresses, identifiers and names."""
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.append(value)
            elif value and name in ("id", "name"):
                self.anchors.add(value)


def broken_links(site: Path) -> Iterator[str]:
    """Yield a line for each link to a file or an anchor that the site does not have.

    Args:
        site: a folder of HTML files.
    """
    pages = {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        for link in page.links:
            address, anchor = urldefrag(link)
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(urlsplit(address).path)).resolve() if address else path
            if not target.is_file():
                yield f"{path.name}: {link}: there is no such file"
            elif anchor and target in pages and unquote(anchor) not in pages[target].anchors:
                yield f"{path.name}: {link}: {target.name} has no such anchor"


def main() -> None:
    """Print broken links; the exit code is 1 if there is any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path)
    broken = list(broken_links(parser.parse_args().site))
    print("\n".join(broken) or "All links inside the site resolve.")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
