"""A fork server that has its imports done, and what its forks do: run a notebook's cells.

In: over a socket, the code cells of a notebook and the pipe for its answers. Out: over that pipe,
the messages that ipykernel would have published. The shell is ipykernel's own; only its session and
streams are ours, and write to the pipe. Nothing here knows of notebooks, papermill or incidents.
`python -m analysis.report.warm FD` serves until the other end of the socket is closed.
"""

from __future__ import annotations

import builtins
import gc
import io
import os
import signal
import socket
import sys
from functools import partial
from importlib import import_module
from importlib.resources import files
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any, NoReturn

# what a report needs is imported here, before any fork
import comm
import duckdb  # noqa: F401 - its import alone: it has no thread before it is used
import IPython.core.completerlib
import IPython.core.oinspect  # noqa: F401 - of the shell
import matplotlib.backends.backend_svg
import matplotlib.figure
import pandas as pd
import tqdm  # noqa: F401 - as above
from comm.base_comm import BaseComm
from ipykernel.compiler import XCachingCompiler
from ipykernel.ipkernel import IPythonKernel
from ipykernel.jsonutil import json_clean
from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client.session import Session
from traitlets.config import Config

import analysis.case
import analysis.figures
import analysis.report.document
import analysis.tables  # noqa: F401 - for the notebooks
from analysis import knowledge
from analysis.knowledge.conditions import question
from analysis.knowledge.loading import load
from analysis.quoting import templates
from analysis.secret import hints

_HELD = 1 << 16  # characters that a stream holds before it sends them


def serve(descriptor: int) -> None:
    """Fork once for each pipe that comes over the socket, until its other end is closed."""
    warm_up()
    gc.freeze()  # a fork's first collection of garbage would copy all that is shared with us
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forks are not waited for: their pipes tell
    with socket.socket(fileno=descriptor) as asked:
        while True:
            word, pipes, _, _ = socket.recv_fds(asked, 1, 1)
            if not word:  # who asked is gone, and waits
                os._exit(0)
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                asked.close()
                _serve_one(Connection(pipes[0]))
            os.close(pipes[0])


def _serve_one(pipe: Connection) -> NoReturn:
    """Run the cells that the pipe brings; the last thing that this process does."""
    os.setsid()  # whoever kills this kills what it started, too
    pipe.send(("pid", os.getpid()))
    try:
        run(pipe, *pipe.recv())
        pipe.close()
    finally:
        os._exit(0)  # no handler of the server's runs twice


def run(pipe: Connection, cells: list[tuple[int, str, bool]], folder: str, harvest: str) -> None:
    """Run cells in a shell of their own.

    Parameters
    ----------
    pipe : Connection
        Gets `("start", index)`, `("message", type, content, metadata, buffers)`,
        `("done", index, succeeded)`, then `("harvest", value)` if all succeeded, and
        `("end", language)`.
    cells : list of (index, source, may fail)
    folder : str
        Working directory.
    harvest : str
        `module:function` that gets the notebook's names and returns what is wanted of them; may
        be empty.
    """
    os.chdir(folder)
    shell = _shell(pipe)
    for index, source, may_fail in cells:
        pipe.send(("start", index))
        _publish(pipe, "execute_input", {"execution_count": shell.execution_count})
        result = shell.run_cell(source, store_history=True)
        sys.stdout.flush()
        sys.stderr.flush()
        pipe.send(("done", index, result.success or may_fail))
        if not (result.success or may_fail):
            break
    else:
        if harvest:
            module, _, function = harvest.partition(":")
            pipe.send(("harvest", getattr(import_module(module), function)(shell.user_ns)))
    pipe.send(("end", IPythonKernel.language_info))


def _publish(
    pipe: Connection,
    kind: str,
    content: dict[str, Any],
    metadata: dict[str, Any] | None = None,
    buffers: list[Any] | None = None,
) -> None:
    raw = [bytes(one) for one in buffers or ()]
    pipe.send(("message", kind, content, metadata or {}, raw))


class _Session(Session):
    """A session that sends over a pipe."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__(key=b"")
        self.pipe = pipe

    def send(self, _: Any, msg_or_type: Any, content: Any = None, *__: Any, **more: Any) -> Any:  # type: ignore[override]
        if isinstance(msg_or_type, dict):
            kind, content = msg_or_type["msg_type"], msg_or_type["content"]
            metadata = msg_or_type["metadata"]
        else:
            kind, metadata = msg_or_type, more.get("metadata")
        _publish(self.pipe, kind, content, metadata, more.get("buffers"))


class _Stream(io.TextIOBase):
    """Standard output or error of a cell."""

    encoding = "utf-8"

    def __init__(self, pipe: Connection, name: str) -> None:
        self.pipe, self.name, self.held = pipe, name, ""

    def write(self, text: str) -> int:
        self.held += text
        if len(self.held) > _HELD:
            self.flush()
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def flush(self) -> None:
        if self.held:
            _publish(self.pipe, "stream", {"name": self.name, "text": self.held})
            self.held = ""


def _shell(pipe: Connection) -> Any:
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    sys.stdout, sys.stderr = _Stream(pipe, "stdout"), _Stream(pipe, "stderr")
    session = _Session(pipe)

    class Comm(BaseComm):
        """A widget's link: what it says is kept, and nobody answers."""

        def publish_msg(
            self,
            msg_type: str,
            data: Any = None,
            metadata: Any = None,
            buffers: Any = None,
            **keys: Any,
        ) -> None:
            clean: Any = json_clean  # untyped
            content = clean({"data": data or {}, "comm_id": self.comm_id, **keys})
            _publish(pipe, msg_type, content, clean(metadata or {}), buffers)

    comm.create_comm = Comm
    shell: Any = ZMQInteractiveShell.instance(
        config=Config(HistoryManager={"enabled": False}),
        compiler_class=XCachingCompiler,
        user_ns={},
    )
    for publisher in (shell.display_pub, shell.displayhook):
        publisher.session, publisher.pub_socket = session, pipe
    shell.displayhook.topic = b"execute_result"
    # nobody is there to answer: ipykernel's own refusal
    silent: Any = SimpleNamespace(_allow_stdin=False)
    builtins.input = partial(IPythonKernel.raw_input, silent)
    return shell


def warm_up() -> None:
    """Fill what is worked out once per process: fonts, templates, knowledge, pandas' own caches."""
    figure = matplotlib.figure.Figure()
    figure.subplots().set_title("warm")
    figure.savefig(io.BytesIO(), format="svg")
    pd.DataFrame({"time": pd.to_datetime(["2025-01-01"], utc=True)}).to_dict("records")
    for name in templates().list_templates():
        templates().get_template(name)
    for file in files("analysis.knowledge").iterdir():
        if file.name.endswith(".toml"):
            load(file.name)
    for known in (knowledge.readings, knowledge.known_fields, knowledge.joins, knowledge.weights):
        known()
    hints()
    for check in knowledge.readings():
        for condition in (*check.all, *check.any, *check.unless):
            if condition.operator != "present":
                question(condition)  # its pattern


if __name__ == "__main__":
    serve(int(sys.argv[1]))
