"""Warm kernels: a papermill engine that runs each notebook in a fresh fork of a process that is ready.

In: a notebook, through papermill. Out: the notebook that papermill's own engine would have left.
A kernel costs its imports; here a fork server has done them once, and each notebook gets a child
of its own, which ends with it: no state reaches the next, and a hung one can be killed with all that
it started. `papermill --engine falco-casebook` uses it too. What the child does is `warm`'s.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from traitlets.config import Config

if TYPE_CHECKING:
    from papermill.engines import NotebookExecutionManager

ENGINE = "falco-casebook"
"""The engine's name in papermill's entry points."""

_LINK = Config(KernelManager={"transport": "ipc"})
"""An ordinary kernel's link is a socket file in a folder of ours, not an open TCP port."""


@dataclass(slots=True)
class Harvest:
    """What is wanted of a notebook's names when it is done: a function of them, and its value."""

    function: str
    value: Any = None


class WarmEngine(NBClientEngine):  # type: ignore[misc]  # papermill is untyped
    """Runs Python notebooks in forks; any other, or without fork, in ordinary kernels."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        execution_timeout: float | None = None,
        report_timeout: float | None = None,
        folder: str | None = None,
        harvest: Harvest | None = None,
        **options: Any,
    ) -> None:
        """Execute a notebook.

        Parameters
        ----------
        nb_man : NotebookExecutionManager
        kernel_name : str
        execution_timeout, report_timeout : float, optional
            Seconds that one cell, and the whole notebook, may take.
        folder : str, optional
            Working directory of the notebook; papermill's own `cwd` is the whole process's.
        harvest : Harvest, optional
            Its function is called with the notebook's names if all cells succeed, and its value
            set; an ordinary kernel leaves it None.

        Raises
        ------
        CellTimeoutError
            If either is over; the child and all that it started are killed.
        DeadKernelError
            If the child ends before its cells do.
        """
        if not _available(nb_man, kernel_name):
            options.setdefault("config", _LINK)
            if folder:
                options["resources"] = {"metadata": {"path": folder}}
            super().execute_managed_notebook(
                nb_man, kernel_name, execution_timeout=execution_timeout, **options
            )
            return
        client = PapermillNotebookClient(nb_man, record_timing=False)
        client.reset_execution_trackers()
        pipe = _fork()
        try:
            _, group = pipe.recv()
            wanted = harvest or Harvest("")
            pipe.send((_runnable(nb_man), folder or os.getcwd(), wanted.function))  # noqa: PTH109
            try:
                _follow(client, pipe, wanted, execution_timeout, report_timeout)
            finally:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)  # it, if it hangs, and what it left behind
        except (EOFError, ConnectionResetError, BrokenPipeError):
            raise DeadKernelError("the kernel ended before the notebook did") from None
        finally:
            pipe.close()


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
    if _forks():
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


def _fork() -> Connection:
    """Return the pipe to a fresh child of the fork server."""
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(_server().asking, [b"x"], [theirs.fileno()])
    return Connection(ours.detach())


def _forks() -> bool:
    return hasattr(os, "fork") and hasattr(socket, "send_fds")


def _available(nb_man: NotebookExecutionManager, kernel_name: str) -> bool:
    language = nb_man.nb.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python" or not kernel_name.startswith("python"):
        return False
    if not _forks():
        warnings.warn("no fork on this system: each report starts a kernel", stacklevel=2)
        return False
    return True


def _runnable(nb_man: NotebookExecutionManager) -> list[tuple[int, str, bool]]:
    """Return what nbclient would run: code that is not blank and not tagged to be skipped."""
    return [
        (index, cell.source, "raises-exception" in _tags(cell))
        for index, cell in enumerate(nb_man.nb.cells)
        if cell.cell_type == "code" and cell.source.strip() and "skip-execution" not in _tags(cell)
    ]


def _tags(cell: Any) -> list[str]:
    return cell.metadata.get("tags", [])  # type: ignore[no-any-return]


def _follow(
    client: PapermillNotebookClient,
    pipe: Connection,
    harvest: Harvest,
    each: float | None,
    whole: float | None,
) -> None:
    """Take in what the child says until it ends, fails or is out of time."""
    nb_man, nb = client.nb_man, client.nb
    last = time.monotonic() + whole if whole else None
    cell, index = None, -1
    until = None
    while True:
        limits = [limit for limit in (last, until) if limit is not None]
        left = max(0.0, min(limits) - time.monotonic()) if limits else None
        if not pipe.poll(left):
            seconds = whole if last is not None and last <= time.monotonic() else each
            raise CellTimeoutError(f"the notebook took more than {seconds:g} s")
        kind, *said = pipe.recv()
        if kind == "start":
            index = said[0]
            cell = nb.cells[index]
            until = time.monotonic() + each if each else None
            client.clear_before_next_output = False
            nb_man.cell_start(cell, index)
        elif kind == "message":
            _take(client, cell, index, said)
        elif kind == "done":
            if not said[1]:
                nb_man.cell_exception(cell, cell_index=index, exception=_error(cell))
            nb_man.cell_complete(cell, cell_index=index)
        elif kind == "harvest":
            harvest.value = said[0]
        else:
            nb.metadata["language_info"] = said[0]
            client.set_widgets_metadata()
            return


def _take(client: PapermillNotebookClient, cell: Any, index: int, said: list[Any]) -> None:
    kind, content, metadata, buffers = said
    # as nbclient has it from the wire
    message = {
        "msg_type": kind,
        "header": {"msg_type": kind},
        "parent_header": {},
        "content": content,
        "metadata": metadata,
        "buffers": buffers,
    }
    client.process_message(message, cell, index)


def _error(cell: Any) -> CellExecutionError:
    last = cell.outputs[-1] if cell.outputs else {}
    trace = "\n".join(last.get("traceback", []))
    return CellExecutionError(trace, last.get("ename", ""), last.get("evalue", ""))
