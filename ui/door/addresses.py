"""Addresses of visitors: which are this machine, which belong to one household."""

from __future__ import annotations

import ipaddress

from starlette.types import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parsed(address: str) -> Address | None:
    """The address; one of IPv4 that is written as IPv6 as what it is. None for what is no address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped) or found


def is_loopback(address: str) -> bool:
    found = parsed(address)
    return found is not None and found.is_loopback


def network(address: str) -> str:
    """An IPv4 address as it is; of an IPv6 address the 64 bits that one household gets; all loopback addresses are one."""
    found = parsed(address)
    if found is None:
        return address
    if found.is_loopback:
        return "loopback"
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def peer_of(scope: Scope) -> str:
    """The address that a request came from: that of the connection, or what a trusted proxy says of it."""
    return str((scope.get("client") or ("",))[0])
