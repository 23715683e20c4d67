"""Check addresses from untrusted sources: http and https only, and no private networks unless the job allows them.

The check guards against server-side request forgery and is applied twice: to each address as written, including every
redirect, and to the IP address of each connection. The second check defeats DNS rebinding: a host name that resolves
to a public address first and to a private one later.
"""

import ipaddress
import re
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from leafid.errors import SourceError

if TYPE_CHECKING:
    from yarl import URL

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""What ``socket.getaddrinfo`` returns for one address."""


class RefusedAddressError(SourceError, OSError):
    """An address that must not be fetched. Also an OSError, since aiohttp handles only that in a socket factory."""


def is_web_address(text: str) -> bool:
    """Whether a text looks like a web address; the address may still be invalid."""
    return text[:8].lower().startswith(("http://", "https://"))


def check_address(url: str, *, allow_private: bool) -> str:
    """Return the host and port of a web address in the form ``host:port``.

    Raises:
        RefusedAddressError: it is not a web address, contains a password, or its host is in a private network.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise RefusedAddressError(f"{url[:500]!r} is not a valid web address ({error})") from None
    if parts.scheme not in ("http", "https") or not host:
        raise RefusedAddressError(f"{url!r} is not a web address; only http and https are fetched")
    if parts.username or parts.password:
        raise RefusedAddressError(f"the address at {host} contains a user name or password")
    if not allow_private:
        _refuse_private_ip(host)
        if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
            raise RefusedAddressError(f"{host} is this machine or a local network")
    return f"{host}:{port or (443 if parts.scheme == 'https' else 80)}"


def host_of(url: str) -> str:
    """Return the host and port as written in an address, in lower case; empty for an address that is not valid."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def as_written(url: str) -> "URL":
    """Return an address for a request without rewriting its escapes; only characters that need one are escaped.

    Raises:
        ValueError: the address is not valid.
    """
    from yarl import URL  # not needed to distinguish files from addresses

    if not url.isascii() and not (urlsplit(url).hostname or "").isascii():
        return URL(url)  # a host in another script: written in its ASCII form (IDNA)
    with_percent = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", url)
    return URL(quote(with_percent, safe="%/:?#[]@!$&'()*+,;=~", errors="surrogateescape"), encoded=True)


def socket_factory(*, allow_private: bool) -> Callable[[AddressInfo], socket.socket]:
    """Return a socket factory for aiohttp, which calls it with the IP address of each connection.

    The factory raises RefusedAddressError for addresses of this machine and of private networks.
    """

    def make_socket(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if not allow_private:
            _refuse_private_ip(str(address[0]))
        created = socket.socket(family, kind, protocol)
        created.setblocking(False)
        return created

    return make_socket


def _refuse_private_ip(host: str) -> None:
    ip = _parse_ip(host)
    if ip is not None and not is_public_ip(ip):
        raise RefusedAddressError(f"{host} is this machine or in a private network")


def is_public_ip(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is globally reachable; IPv4 inside IPv6 (mapped, 6to4, NAT64, Teredo) is unwrapped."""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in ipaddress.ip_network("64:ff9b::/96"):  # NAT64: the last 32 bits are the IPv4 address
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if any(one is not None and not is_public_ip(one) for one in inner):
            return False
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return True
    return ip.is_global and not ip.is_multicast


def _parse_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read a host that is an IP address, including the short forms of ``inet_aton`` (``127.1``, ``0x7f000001``)."""
    try:
        return ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        pass
    if host[:1].isdigit():
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, ValueError):
            pass
    return None
