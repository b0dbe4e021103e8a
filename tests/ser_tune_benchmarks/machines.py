"""Machines of one network, as network namespaces: each has its own address, and its link can be cut. Needs root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

__all__ = ["SERVER", "Machines", "machines", "why_not"]

NETWORK = "10.213.0"
SERVER = f"{NETWORK}.1"
"""The server's address."""


def why_not() -> str:
    """Why this computer cannot have such machines; empty where it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    missing = [name for name in ("ip", "unshare", "runuser") if shutil.which(name) is None]
    return f"there is no program '{missing[0]}'" if missing else ""


class Machines:
    """A server, and others that reach it and each other through its bridge."""

    def __init__(self, names: Sequence[str]) -> None:
        """Name the others; nothing is made yet."""
        self.names = names
        self._prefix = f"ser{os.getpid()}"
        self._started: list[subprocess.Popen[bytes]] = []

    def connect(self) -> None:
        """Make all namespaces and links."""
        server = self._namespace("server")
        _ip("netns", "add", server)
        _ip("-n", server, "link", "add", "bridge", "type", "bridge")
        _ip("-n", server, "address", "add", f"{SERVER}/24", "dev", "bridge")
        for device in ("lo", "bridge"):
            _ip("-n", server, "link", "set", device, "up")
        for number, name in enumerate(self.names, 2):
            own = self._namespace(name)
            _ip("netns", "add", own)
            _ip("-n", server, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", own)
            _ip("-n", server, "link", "set", name, "master", "bridge", "up")
            _ip("-n", own, "address", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", own, "link", "set", device, "up")

    def disconnect(self) -> None:
        """End all programs, and remove the machines."""
        for process in self._started:
            process.kill()  # and with it all processes of its namespace
            process.wait()
        for name in ("server", *self.names):
            subprocess.run(["ip", "netns", "delete", self._namespace(name)], check=False, capture_output=True)

    def set_link(self, name: str, state: str) -> None:
        """Cut a machine's link (`down`), or mend it (`up`)."""
        _ip("-n", self._namespace("server"), "link", "set", name, state)

    def start(
        self, name: str, command: Sequence[str | Path], log: Path, environment: dict[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a program on a machine: it sees its own processes alone, and ends with the machines."""
        inside = ["ip", "netns", "exec", self._namespace(name), "unshare", "--pid", "--fork", "--mount-proc"]
        inside += ["--kill-child"]
        with log.open("ab") as told:
            process = subprocess.Popen(
                [*inside, *command], env=os.environ | (environment or {}), stdout=told, stderr=subprocess.STDOUT
            )
        self._started.append(process)
        return process

    def _namespace(self, name: str) -> str:
        return f"{self._prefix}-{name}"


@contextmanager
def machines(*names: str) -> Iterator[Machines]:
    """Have a server and other machines for as long as the context lasts."""
    with ExitStack() as stack:
        made = Machines(names)
        stack.callback(made.disconnect)
        made.connect()
        yield made


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
