"""Where alerts come from: paths, folders, globs, standard input, bytes, and any fsspec URL.

In: what a person names. Out: contents, in order, each readable as a local file, uncompressed.
What the bytes mean is for `records` and `bulk`.
"""

from __future__ import annotations

import bz2
import codecs
import glob
import gzip
import hashlib
import io
import lzma
import os
import stat
import sys
import tempfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from analysis.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Source = str | Path | bytes
_BLOCK = 1 << 20
MOST_UNPACKED = 200
"""How many times its size a compressed file may unpack to: logs of alerts come to 10 to 60."""
_FREELY_UNPACKED = 64 << 20
"""Bytes that any compressed file may unpack to."""


@dataclass(frozen=True, slots=True)
class Content:
    """One file's worth of bytes: a name for its origin, and the bytes if they are no file.

    `path` is given where the name is no path: a file name that is no UTF-8. `refused` says why it
    is not to be read.
    """

    name: str
    held: bytes | None = None
    path: Path | None = None
    refused: str = ""


@dataclass(slots=True)
class Local:
    """A content as a local, uncompressed file; `damage` says why it ends before its end."""

    path: Path
    damage: str = ""


def iter_contents(source: Source | Sequence[Source]) -> Iterator[Content]:
    """Yield each content that `source` names: lists in order, folders and globs by sorted path.

    Of a folder, what is hidden is passed over. What is no file (a pipe, a device, a link that leads
    nowhere) is refused, and so is a file that may not be read.

    Raises
    ------
    SourceError
        If a path does not exist, a glob matches nothing, or a folder holds no file.
    """
    if isinstance(source, bytes):
        # content is its own name, so that equal input gives equal origins
        yield Content(f"bytes-{hashlib.sha256(source).hexdigest()[:12]}", source)
    elif not isinstance(source, str | Path):
        for one in source:
            yield from iter_contents(one)
    elif str(source) == "-":
        yield Content("-", sys.stdin.buffer.read())
    elif "://" in str(source):
        yield from _remote(str(source))
    elif (path := Path(source)).is_dir():
        yield from _folder(path)
    else:
        yield from map(_named, _paths(path))


def _named(path: Path, refused: str = "") -> Content:
    name = os.fsencode(path).decode("utf-8", "backslashreplace")
    return Content(name, None, None if name == str(path) else path, refused)


@contextmanager
def local_file(content: Content) -> Iterator[Local]:
    """Lend a content as a local, uncompressed file; what had to be copied is removed afterwards.

    Raises
    ------
    SourceError
        If it cannot be read. A compressed content that is cut short or damaged is no error: what
        could be read is there, and `Local.damage` says what was the matter.
    """
    try:
        with _open(content) as opened:
            stream: Any = (
                opened
                if hasattr(opened, "peek")
                else io.BufferedReader(cast("Any", opened), _BLOCK)
            )
            head = stream.peek(6)[:6]
            unpack = next((how for magic, how in _UNPACK.items() if head.startswith(magic)), None)
            is_file = content.held is None and "://" not in content.name
            path = content.path or Path(content.name)
            if unpack is None and is_file and path.is_file():
                yield Local(path)
                return
            with tempfile.NamedTemporaryFile(prefix="falco-casebook-") as copy:
                damage = _unpacked(stream, unpack, copy) if unpack else _copied(stream, copy)
                copy.flush()
                yield Local(Path(copy.name), damage)
    except OSError as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"cannot read {content.name}: {error.strerror or error}") from error


def _open(content: Content) -> IO[bytes]:
    if content.held is not None:
        return io.BytesIO(content.held)
    if "://" in content.name:
        fs, path = _filesystem(content.name)
        return fs.open(path, "rb")  # type: ignore[no-any-return]
    return (content.path or Path(content.name)).open("rb")


def _copied(stream: Any, copy: IO[bytes], most: Callable[[], int] | None = None) -> str:
    """Copy block by block; return what stopped it before the end, if anything did."""
    # read1 gives what is there; read would lose it to the error that ends a file cut short
    read = getattr(stream, "read1", stream.read)
    size = 0
    try:
        while block := read(_BLOCK):
            copy.write(block)
            size += len(block)
            if most and size > most():
                return (
                    f"it unpacks to more than {MOST_UNPACKED} times its size, which is taken for "
                    f"a bomb: the first {size >> 20} MiB were read"
                )
    except (EOFError, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        return f"the compressed file is cut short or damaged: {error}"
    return ""


def _unpacked(stream: Any, unpack: Callable[[Any], Any], copy: IO[bytes]) -> str:
    packed = _Counted(stream)
    return _copied(unpack(packed), copy, lambda: max(_FREELY_UNPACKED, packed.size * MOST_UNPACKED))


class _Counted(io.RawIOBase):
    """A stream that counts the bytes read from it."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.size = stream, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block: bytes = self._stream.read(size)
        self.size += len(block)
        return block


class _Utf16:
    """A stream of UTF-8 out of one of UTF-16, which PowerShell's `>` writes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-16")("replace")

    def read(self, size: int) -> bytes:
        while block := self._stream.read(size):
            if text := self._decoder.decode(block):
                return text.encode("utf-8", "replace")
        return self._decoder.decode(b"", final=True).encode("utf-8", "replace")


def _zstd(stream: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - heavy, and needed for zstd alone

    return pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd")


_UNPACK: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream),
    b"BZh": lambda stream: bz2.BZ2File(stream),  # noqa: PLW0108 - its own type hides what it takes
    b"\xfd7zXZ\x00": lambda stream: lzma.LZMAFile(stream),  # noqa: PLW0108, SIM115
    b"\x28\xb5\x2f\xfd": _zstd,
    codecs.BOM_UTF16_LE: _Utf16,
    codecs.BOM_UTF16_BE: _Utf16,
}


def _folder(folder: Path) -> Iterator[Content]:
    found = sorted(p for p in folder.rglob("*") if not _is_hidden(p, folder))
    contents = [_named(p, why) for p in found if (why := _refused(p)) is not None]
    if not contents:
        raise SourceError(f"the folder {folder} holds no file")
    yield from contents


def _refused(path: Path) -> str | None:
    """Return why what a folder holds is not read: "" for a file, None for a folder."""
    try:
        mode = path.stat().st_mode
    except OSError as error:  # it leads nowhere, or to itself
        what = "a link that cannot be followed" if path.is_symlink() else "it may not be read"
        return f"{what}: {error.strerror}"
    if stat.S_ISDIR(mode):
        return "a link to a folder, not followed" if path.is_symlink() else None
    if not stat.S_ISREG(mode):
        return f"a {_KINDS.get(stat.S_IFMT(mode), 'special file')}, no file"
    return "" if os.access(path, os.R_OK) else "it may not be read: Permission denied"


_KINDS = {
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def _paths(path: Path) -> list[Path]:
    name = str(path)
    if path.exists():
        if path.is_char_device() or path.is_block_device() or path.is_socket():
            raise SourceError(f"{name} is a device or socket, no file")
        return [path]
    found = sorted(Path(p) for p in glob.glob(name, recursive=True) if Path(p).is_file())  # noqa: PTH207
    if not found:
        kind = "matches no file" if glob.has_magic(name) else "no such file or folder"
        raise SourceError(f"{kind}: {name}")
    return found


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _remote(url: str) -> Iterator[Content]:
    fs, path = _filesystem(url)
    try:
        scheme = url.split("://", 1)[0]
        if glob.has_magic(path):
            found = sorted(fs.glob(path))
        else:
            found = sorted(fs.find(path)) if fs.isdir(path) else [path]
    except OSError as error:
        raise SourceError(f"cannot read {url}: {error}") from error
    if not found:
        raise SourceError(f"matches no file: {url}")
    yield from (Content(one if "://" in one else f"{scheme}://{one}") for one in found)


def _filesystem(url: str) -> tuple[Any, str]:
    import fsspec  # noqa: PLC0415 - only for what is no local path

    try:
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]
    except (ImportError, ValueError) as error:
        raise SourceError(f"cannot open {url}: {error}") from error
