"""Addresses come from strangers: only the web, and never this machine or its neighbours unless the job allows them.

The rule is applied twice: to the address as written, before anything is sent and again for every redirect, and to the
number that is really connected to, so that a name which first resolves to one place and then to another gains nothing.
"""

import ipaddress
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from leafid.errors import SourceError

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""What ``socket.getaddrinfo`` returns for one address."""


class RefusedAddressError(SourceError, OSError):
    """An address that must not be fetched from. An OSError too, for the connection code between."""


def is_web_address(text: str) -> bool:
    """Whether a text is meant as the address of something on the web; it may still be no valid one."""
    return text[:8].lower().startswith(("http://", "https://"))


def check_address(url: str, *, allow_private: bool) -> str:
    """Return the host and port of a web address in the form ``host:port``.

    Raises:
        RefusedAddressError: it is no web address, carries a password, or its host is a number in a private network.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise RefusedAddressError(f"{url!r} is no valid web address ({error})") from None
    if parts.scheme not in ("http", "https") or not host:
        raise RefusedAddressError(f"{url!r} is no web address; only http and https are fetched")
    if parts.username or parts.password:
        raise RefusedAddressError(f"the address at {host} carries a user name or password")
    if not allow_private:
        _refuse_private_number(host)
        if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
            raise RefusedAddressError(f"{host} is this machine or a local network")
    return f"{host}:{port or (443 if parts.scheme == 'https' else 80)}"


def socket_factory(*, allow_private: bool) -> Callable[[AddressInfo], socket.socket]:
    """Make sockets for aiohttp, which asks with the very number it is about to connect to.

    The maker raises RefusedAddressError for numbers of this machine and of private networks.
    """

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if not allow_private:
            _refuse_private_number(str(address[0]))
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    return make


def _refuse_private_number(host: str) -> None:
    number = _number(host)
    if number is not None and not is_public(number):
        raise RefusedAddressError(f"{host} lies in this machine or a private network")


def is_public(number: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address may be reached from anywhere; IPv4 inside IPv6 (mapped, 6to4, NAT64, Teredo) is unwrapped."""
    if isinstance(number, ipaddress.IPv6Address):
        inner = [number.ipv4_mapped, number.sixtofour, *(number.teredo or ())]
        if number in ipaddress.ip_network("64:ff9b::/96"):
            inner.append(ipaddress.IPv4Address(int(number) & 0xFFFFFFFF))
        if any(one is not None and not is_public(one) for one in inner):
            return False
        if number in ipaddress.ip_network("64:ff9b::/96"):
            return True
    return number.is_global and not number.is_multicast


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read a host that is a number, also in the spellings of old C libraries (``127.1``, ``0x7f000001``)."""
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
