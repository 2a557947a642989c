"""Where reports are kept: a local folder, or any store that fsspec knows.

In: bytes and names. Out: files that are there whole or not at all. A report's folder comes last
as one move (local), or with its manifest last (a store, which has no move). Knows nothing of what
is in the files.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.report.manifest import ANALYSTS, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART = ".part-"
"""How the folder of a report in the making begins; it names host and process."""


class Shelf:
    """A place for reports.

    Parameters
    ----------
    url : str or Path
        A local path, or a URL such as `s3://bucket/reports`.
    """

    def __init__(self, url: str | Path) -> None:
        self.url = str(url)
        self._store: Any = None
        if "://" in self.url:
            import fsspec  # noqa: PLC0415 - for stores

            self._store, self.root = fsspec.core.url_to_fs(self.url)
            # a listing kept from before would hide what others wrote since
            self._store.use_listings_cache = False
        else:
            self.root = str(Path(self.url).absolute())
        self._prefix = f"{_PART}{_host()}-{os.getpid()}-"
        mask = os.umask(0)
        os.umask(mask)
        self._files, self._folders = 0o666 & ~mask, 0o777 & ~mask

    def open(self) -> None:
        """Make the place, and clear what runs that died left in the making."""
        if self._store is not None:
            return
        root = Path(self.root)
        root.mkdir(parents=True, exist_ok=True)
        for part in root.glob(f"{_PART}*-*-*"):
            host, process, _ = part.name.removeprefix(_PART).split("-", 2)
            if host == _host() and process.isdecimal() and not _runs(int(process)):
                shutil.rmtree(part) if part.is_dir() else part.unlink()

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None where there is none."""
        try:
            if self._store is None:
                return (Path(self.root) / name).read_bytes()
            return self._store.cat_file(f"{self.root}/{name}")  # type: ignore[no-any-return]
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def names(self, folder: str) -> list[str]:
        """Return what is in a folder, without what is in the making."""
        try:
            if self._store is None:
                found = [path.name for path in (Path(self.root) / folder).iterdir()]
            else:
                path = f"{self.root}/{folder}".rstrip("/")
                listed = self._store.ls(path, detail=False, refresh=True)
                found = [name.rstrip("/").rpartition("/")[2] for name in listed]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in found if name and not name.startswith(_PART))

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        if self._store is not None:
            self._store.pipe_file(f"{self.root}/{name}", content)
            return
        path = Path(self.root) / name
        handle, part = tempfile.mkstemp(prefix=self._prefix, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(part, self._files)  # noqa: PTH101 - mkstemp lets nobody else read
            os.replace(part, path)  # noqa: PTH105 - the name says what happens
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise

    @contextmanager
    def making(self) -> Iterator[Path]:
        """Lend an empty local folder to make a report in; it is gone afterwards, unless placed."""
        beside = self.root if self._store is None else None
        folder = Path(tempfile.mkdtemp(prefix=self._prefix, dir=beside))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, folder: Path, name: str) -> None:
        """Put a folder that `making` lent in its place; one of that name is replaced.

        What an analyst kept in the former one comes along.
        """
        if self._store is not None:
            self._place_in_store(folder, name)
            return
        target = Path(self.root) / name
        folder.chmod(self._folders)
        if target.exists():
            _keep(target, folder)
            old = Path(tempfile.mkdtemp(prefix=folder.name, dir=self.root))
            os.replace(target, old)  # noqa: PTH105
            os.replace(folder, target)  # noqa: PTH105
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(folder, target)  # noqa: PTH105

    def _place_in_store(self, folder: Path, name: str) -> None:
        made = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
        before = set(self.names(name))
        if MANIFEST in before:  # from here on it is no longer whole
            self._store.rm_file(f"{self.root}/{name}/{MANIFEST}")
        for file in sorted(made, key=lambda one: one == MANIFEST):
            self._store.pipe_file(f"{self.root}/{name}/{file}", made[file])
        for file in before - made.keys() - ANALYSTS:
            self._store.rm_file(f"{self.root}/{name}/{file}")


def _keep(former: Path, folder: Path) -> None:
    """Copy what an analyst kept; moved, it would be lost with a run that dies here."""
    for path in former.iterdir():
        if path.name not in ANALYSTS:
            continue
        if path.is_dir():
            shutil.copytree(path, folder / path.name)
        else:
            shutil.copy2(path, folder / path.name)


def _host() -> str:
    return "".join(c for c in socket.gethostname() if c.isalnum())[:40] or "host"


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
