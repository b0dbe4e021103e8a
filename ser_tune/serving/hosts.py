"""Names that a server answers to: a web page whose own name leads to this machine gets no answer (DNS rebinding)."""

import ipaddress
import re
from collections.abc import Iterable

__all__ = ["ANY_HOST", "Hosts"]

ANY_HOST = "*"
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s:@/\[\]]+)(:[0-9]*)?", re.IGNORECASE)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Hosts:
    """Values of the header Host that are answered: loopback, the address that was asked, and allowed names."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """Allow names beside the addresses.

        Args:
            allowed: Without port; `*` is any name.
        """
        self._allowed = {_plain(name) for name in (*_LOOPBACK, *allowed)}

    def answer_to(self, host: str, address: str) -> bool:
        """Whether a request is answered.

        Args:
            host: The header, with or without a port.
            address: Of this machine, which the client connected to.

        >>> Hosts([]).answer_to("10.0.0.2:5001", "10.0.0.2"), Hosts([]).answer_to("evil.example", "127.0.0.1")
        (True, False)
        """
        if ANY_HOST in self._allowed:
            return True
        found = _HOST.fullmatch(host)
        return found is not None and _plain(found["name"]) in {*self._allowed, _plain(address)}


def _plain(name: str) -> str:
    """A name or address in one spelling."""
    name = name.strip("[]").casefold().removesuffix(".")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name
    return str(getattr(address, "ipv4_mapped", None) or address)
