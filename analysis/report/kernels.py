"""Warm kernels: a fork server that has its imports done, and a fresh child of it for each notebook.

In: nothing. Out: the pipe to a child that is ready to run cells (`warm` says how). A kernel costs
its imports; here they are done once. Each notebook has a child of its own, which ends with it: no
state reaches the next, and a hung one can be killed with all that it started. Papermill's side of
it is `engine`.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

ENGINE = "falco-casebook"
"""The engine's name in papermill's entry points."""


@dataclass(slots=True)
class Harvest:
    """What is wanted of a notebook beside papermill's file of it.

    `function` (`module:name`) is called with the notebook's names when all cells have succeeded,
    and `value` set to what it returns; `notebook` is the notebook, however far it came.
    """

    function: str
    value: Any = None
    notebook: Any = None


class _Server:
    """A fork server, which ends when our end of its socket is closed, by us or by our death."""

    def __init__(self) -> None:
        self.asking, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", "analysis.report.warm", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self.owner = os.getpid()

    @property
    def usable(self) -> bool:
        """Whether it runs, and is this process's own: a fork of ours needs another."""
        return self.owner == os.getpid() and self.process.poll() is None

    def close(self) -> None:
        """Let it end."""
        self.asking.close()
        if self.owner == os.getpid():
            self.process.wait()


_lock = threading.Lock()
_servers: list[_Server] = []
"""The fork server of this process, once there is one."""


def start_server() -> None:
    """Start the fork server now, so that it is ready when the first notebook is."""
    if forks():
        _server()


@atexit.register
def stop_server() -> None:
    """End the fork server; the next notebook starts another."""
    with _lock:
        while _servers:
            _servers.pop().close()


def _server() -> _Server:
    with _lock:
        if _servers and not _servers[0].usable:
            _servers.pop().close()
        if not _servers:
            _servers.append(_Server())
        return _servers[0]


def fork() -> Connection:
    """Return the pipe to a fresh child of the fork server."""
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(_server().asking, [b"x"], [theirs.fileno()])
    return Connection(ours.detach())


def forks() -> bool:
    """Return whether this system can fork and pass open files on."""
    return hasattr(os, "fork") and hasattr(socket, "send_fds")
