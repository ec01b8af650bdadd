"""Writing files so that nothing is ever half-written; JSON and hashes of files."""

import contextlib
import hashlib
import json
import os
import secrets
import shlex
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import msgspec

from common.errors import UserError
from common.ranks import rank_and_count

try:
    import fcntl
except ImportError:  # Windows, where nobody is kept out
    fcntl = None

PARTIAL = ".partial-"  # how the name of a file begins that is being written


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Writes a file whole or not at all: on the disk before it has its name. What an encoder makes
    comes here from memory, since some do not notice that a disk is full. Raises UserError."""
    # without the suffix, so that nothing takes what a killed command left for a file of its kind
    temporary = path.with_name(PARTIAL + secrets.token_hex(8))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        if os.name == "posix":
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise UserError(f"{path}: could not be written ({error})") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


LOCK = ".lock"
ALL = 0, 1  # of a lock file, length and start of the range of all processes; byte 0 is the gate
_held = []  # (folder, open lock file): closing one would give its lock up


def lock(folder: Path, shared: bool = False) -> None:
    """Makes `folder` and keeps other processes out of it until this one ends, however it ends; what
    killed ones had half-written there goes. Where it is shared, the processes of one command (the
    same words, WORLD_SIZE of them, each RANK once) may be in it together. Raises UserError that
    says who is in it."""
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise UserError(f"{folder}: cannot be written to ({error})") from error
    rank, count = rank_and_count() if shared else (0, 1)
    who = f"{count} processes" if count > 1 else f"process {os.getpid()}"
    who += f": {shlex.join(map(os.path.basename, sys.argv))}"
    with _gate(file):
        alone = _take(file, *ALL)
        file.seek(0)
        holder = file.read().strip() or "another process"
        joins = count > 1 and holder == who and _take(file, 1, 1 + rank)
        if not alone and not joins:
            raise UserError(f"{folder} is in use by {holder}; wait for it or stop it")
        if alone:
            file.truncate(0)
            file.write(who)
            file.flush()
            _clean(folder)
        if alone and count > 1:
            _leave(file, *ALL)
            _take(file, 1, 1 + rank)
    _held.append((folder, file))


def is_last_in(folder: Path) -> bool:
    """Whether no other process shares a folder that this one has locked: if so, it is now this
    one's alone; else this one has left it. Of several that end, exactly one is the last."""
    file = next(file for held, file in _held if held == folder)
    with _gate(file):
        last = _take(file, *ALL)
        if last:
            _clean(folder)
        else:
            _leave(file, *ALL)
    return last


@contextlib.contextmanager
def _gate(file: TextIO) -> Iterator[None]:
    """One process at a time changes who is in a folder."""
    if fcntl:
        fcntl.lockf(file, fcntl.LOCK_EX, 1)
    try:
        yield
    finally:
        _leave(file, 1, 0)


def _take(file: TextIO, length: int, start: int) -> bool:
    """Locks a range of a lock file, unless another process has a part of it."""
    # of the process and not, as flock, of its workers too, which may outlive it
    with contextlib.suppress(OSError):
        if fcntl:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
        return True
    return False


def _leave(file: TextIO, length: int, start: int) -> None:
    if fcntl:
        fcntl.lockf(file, fcntl.LOCK_UN, length, start)


def _clean(folder: Path) -> None:
    """Deletes what killed processes had half-written."""
    for left in list(folder.rglob(PARTIAL + "*")):
        inside = left.relative_to(folder).parents
        if not any((folder / parent / LOCK).exists() for parent in list(inside)[:-1]):
            delete(left)  # what lies in a folder with a lock of its own may be being written


def unlock(folder: Path | None = None) -> None:
    """Gives up the lock of a folder, or, for who runs several commands in a process, all."""
    for held in list(_held):
        if folder in (None, held[0]):
            _held.remove(held)
            held[1].close()


def delete(path: Path) -> None:
    """Deletes a file, or a folder and all in it; a link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def empty(folder: Path) -> None:
    """Deletes what is in a folder that this process has locked, but its lock."""
    for path in folder.iterdir():
        if path.name != LOCK:
            delete(path)


def regular(path: Any) -> Any:
    """The path, to be opened. Raises UserError for a folder, and for a pipe, socket or device,
    which could keep its reader waiting for ever; what is missing, or no path at all, is left to who
    opens it."""
    with contextlib.suppress(OSError, ValueError):
        if isinstance(path, Path) and not stat.S_ISREG(os.stat(path).st_mode):
            raise UserError(f"{path}: expected a file, found a folder, a pipe or a device")
    return path


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def lines_of(path: Path) -> list[tuple[int, str]]:
    """(number, stripped text) of the lines of a file of the user's that are not blank; numbers
    count from 1."""
    try:
        text = regular(path).read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UserError(f"{path}: not readable ({error})") from error
    lines = enumerate((line.strip() for line in text.splitlines()), start=1)
    return [(number, line) for number, line in lines if line]


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path, kind: Any = dict[str, Any]) -> Any:
    """The value in a file, of the type `kind` (fields of a TypedDict that it does not name are
    kept out). Raises UserError if the file is missing, no JSON, or of another type."""
    try:
        text = regular(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not readable ({error})") from error
    return parse_json(text, kind, path)


def parse_json(text: str, kind: Any, source: Path) -> Any:
    """As read_json, of a text out of the file `source`."""
    try:
        return msgspec.convert(json.loads(text), kind)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise UserError(f"{source}: damaged, or not written by this program ({error})") from error


def file_hash(path: Path) -> str:
    with open(regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
