"""Addresses from untrusted sources never lead into this machine or its network."""

import ipaddress
import socket

import pytest

from leafid.sources.fetching.addresses import RefusedAddressError, check_address, is_public_ip, socket_factory


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/sheet.jpg",
        "http://127.1/sheet.jpg",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://0/",
        "http://localhost:8080/",
        "http://printer.local/",
        "http://10.0.0.8/",
        "http://192.168.1.1/",
        "http://172.16.3.3/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://[::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fd00::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://224.0.0.1/",
        "file:///etc/passwd",
        "ftp://example.org/sheet.jpg",
        "gopher://example.org/",
        "urn:catalog:UConn:CONN:CONN00021995",
        "//example.org/sheet.jpg",
        "http://user:secret@example.org/",
        "http:///sheet.jpg",
        "http://example.org:99999/",
        "http://[::1/",
        "",
    ],
)
def test_private_and_invalid_addresses_are_refused(url: str) -> None:
    with pytest.raises(RefusedAddressError):
        check_address(url, allow_private=False)


def test_public_addresses_give_their_host_and_port() -> None:
    assert check_address("https://api.gbif.org/v1", allow_private=False) == "api.gbif.org:443"
    assert check_address("http://8.8.8.8:8080/x", allow_private=False) == "8.8.8.8:8080"
    assert check_address("http://127.0.0.1:1234/", allow_private=True) == "127.0.0.1:1234"


def test_the_ip_address_of_the_connection_is_checked() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
    with pytest.raises(RefusedAddressError, match=r"127\.0\.0\.1"):
        socket_factory(allow_private=False)(info)
    socket_factory(allow_private=True)(info).close()


@pytest.mark.parametrize("ip", ["8.8.8.8", "2600::1", "64:ff9b::808:808"])
def test_public_ip_addresses(ip: str) -> None:
    assert is_public_ip(ipaddress.ip_address(ip))
