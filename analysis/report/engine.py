"""Papermill's engine `falco-casebook`: each notebook runs in a fresh fork of a process that is ready.

In: a notebook, through papermill. Out: the notebook that papermill's own engine would have left.
`papermill --engine falco-casebook` uses it, and so do reports. Papermill loads this module when it
is imported itself: nothing here may import papermill before papermill has come so far.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from traitlets.config import Config

from analysis.report import kernels
from analysis.report.kernels import Harvest

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from papermill.engines import NotebookExecutionManager


def link(folder: str) -> Config:
    """Return the configuration of a kernel whose link is sockets in a folder, not open TCP ports.

    Ports are open to all on the machine, and kernels that start side by side race for them.
    """
    return Config(KernelManager={"transport": "ipc", "ip": f"{folder}/kernel"})


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
        fork: bool = True,
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
            What is wanted beside the notebook; an ordinary kernel gives no value.
        fork : bool
            False for an ordinary kernel.

        Raises
        ------
        CellTimeoutError
            If either is over; the child and all that it started are killed.
        DeadKernelError
            If the child ends before its cells do.
        """
        wanted = harvest or Harvest("")
        wanted.notebook = nb_man.nb
        if not (fork and _available(nb_man, kernel_name)):
            if folder:
                options["resources"] = {"metadata": {"path": folder}}
            options["execution_timeout"] = execution_timeout
            with TemporaryDirectory(prefix="falco-casebook-") as private:
                options.setdefault("config", link(private))
                try:
                    super().execute_managed_notebook(nb_man, kernel_name, **options)
                finally:
                    if threading.current_thread() is not threading.main_thread():
                        ensure_event_loop().close()  # nbclient's own, which ends with its thread
            return
        client = PapermillNotebookClient(nb_man, record_timing=False)
        client.reset_execution_trackers()
        pipe = kernels.fork()
        try:
            _, group = pipe.recv()
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


def _available(nb_man: NotebookExecutionManager, kernel_name: str) -> bool:
    language = nb_man.nb.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python" or not kernel_name.startswith("python"):
        return False
    if not kernels.forks():
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
