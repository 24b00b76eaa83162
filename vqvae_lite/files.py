"""Files: those below a folder, one read whatever it holds, one written whole or not at all.

And a folder that one process has for itself.
"""

import errno
import os
import re
import shutil
import stat
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import overload

LOCK = ".lock"  # in a folder, while a process has it for itself
_HELD: set[Path] = set()  # the locks of this process
# How PyTorch says that memory does not suffice, where it does not raise what is made for it.
_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|size calculation overflowed")
# What a worker of a DataLoader raised comes with its traceback as its text.
_BY_WORKER = re.compile(r"Caught \w+ in DataLoader worker process \d+\.$")
_LONG = 300  # letters of a reason
_DIGITS = re.compile("[0-9]+")


class Files(Sequence[Path]):
    """The paths of many files below a folder, in little more memory than their letters.

    Args:
        folder: what the names are relative to.
        names: of the files, "/" between the folders.
    """

    def __init__(self, folder: Path, names: Iterable[str]):
        self.folder = folder
        self._letters, self._ends = bytearray(), array("Q", [0])
        for name in names:
            self._letters += os.fsencode(name)
            self._ends.append(len(self._letters))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> list[Path]: ...

    def __getitem__(self, index: int | slice) -> Path | list[Path]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        letters = self._letters[self._ends[place] : self._ends[place + 1]]
        return self.folder / os.fsdecode(bytes(letters))


def visible_files(folder: Path, suffixes: tuple[str, ...], inside: bool = True) -> Files:
    """The files in a folder and the folders in it whose names end with one of these, in order.

    None counts whose name, or folder below `folder`, starts with a dot. Links to folders are
    followed, but for one that leads back to a folder that it stands in. The order is that of
    `entries`, folder by folder.

    Args:
        folder: where to look.
        suffixes: in small letters, such as ".png"; those of the files may be in capitals.
        inside: whether to look into the folders in it as well.

    Raises:
        PermissionError, ValueError: as `entries`.
    """
    return Files(folder, _names(str(folder), suffixes, inside, "", ()))


def _names(
    folder: str,
    suffixes: tuple[str, ...],
    inside: bool,
    prefix: str = "",
    above: tuple[tuple[int, int], ...] = (),
) -> Iterator[str]:
    """The names for `visible_files`; `above` tells which folders this one stands in."""
    here = (*above, _identity(os.stat(folder)))
    for entry in entries(folder):
        linked = entry.is_symlink()
        if os.path.isdir(entry.path) if linked else entry.is_dir():
            if inside and not (linked and _identity(entry.stat()) in here):
                yield from _names(entry.path, suffixes, inside, f"{prefix}{entry.name}/", here)
        elif entry.name.lower().endswith(suffixes):
            if not (os.path.isfile(entry.path) if linked else entry.is_file()):
                what = _special(entry.path) or "a link that leads to nothing"
                raise ValueError(f"{entry.path} is no file but {what}")
            yield prefix + entry.name


def _identity(about: os.stat_result) -> tuple[int, int]:
    """What tells one file or folder from all others, by whichever way it is reached."""
    return about.st_dev, about.st_ino


def entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What is in a folder and does not start with a dot, by name; numbers in names as numbers.

    So frame2 comes before frame10; names whose numbers have equally many digits are in the order of
    their letters.

    Raises:
        PermissionError, FileNotFoundError, ValueError: naming the folder.
    """
    with reading(folder, "a folder"), os.scandir(folder) as found:
        shown = {entry.name: entry for entry in found if not entry.name.startswith(".")}
    return [shown[name] for name in in_order(shown)]


def in_order(names: Iterable[str]) -> list[str]:
    """Names as `entries` sorts them."""
    names = sorted(names)
    width = max(map(len, names), default=0)
    # Filled up with zeros, numbers sort as such, and among other characters as any digits do.
    return sorted(names, key=lambda name: _DIGITS.sub(lambda run: run[0].zfill(width), name))


@contextmanager
def reading(path: str | Path, kind: str, raises: type[ValueError] = ValueError) -> Iterator[None]:
    """Says of which file it is that it cannot be read, whatever a library raises over it.

    What a file holds is a stranger's: any error over it, also one of memory or of a kind that the
    library does not name, is the file's, and becomes one line.

    Args:
        path: the file.
        kind: what it should be, such as "an image".
        raises: the error, for what is neither absent nor forbidden.

    Raises:
        FileNotFoundError, PermissionError, ValueError: naming the file.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a str or a Path, got {type(path).__name__}")
    try:
        if special := _special(path):
            raise ValueError(f"it is {special}")  # which may be waited for without end
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}: expected {kind}") from None
    except PermissionError:
        raise PermissionError(f"{path} may not be read by this user") from None
    except ImportError:
        raise  # what lacks is not the file's
    except Exception as error:
        if isinstance(error, raises) and str(error).startswith(f"{path} cannot be read as "):
            raise  # by a reader inside, which knows better what it should be
        why = reason(error)
        why = why if len(why) <= _LONG else f"{why[:_LONG]} ..."  # it may quote what it found
        raise raises(f"{path} cannot be read as {kind}: {why}") from error


def check_amount(amount: int, unit: str, variable: str, limit: int) -> None:
    """Raises ValueError where a file holds more than is read unasked: see `reading`.

    A small file can say that it holds what no memory does.

    Args:
        amount: what it holds.
        unit: of that, in words, such as "pixels".
        variable: of the environment, that says how much may be read.
        limit: how much, where it is not set.
    """
    most = allowed(variable, limit)
    if amount > most:
        raise ValueError(
            f"it holds {amount:,} {unit}, more than {most:,}: where that is meant, set the "
            f"environment variable {variable} to as many"
        )


def allowed(variable: str, limit: int) -> int:
    """What a file may hold: a variable of the environment says it, or else it is `limit`.

    Raises:
        ValueError: the variable is no whole number.
    """
    text = os.environ.get(variable) or str(limit)
    if not text.isdecimal():
        raise ValueError(f"{variable} must be a whole number, got {text!r}")
    return int(text)


@contextmanager
def writing(path: Path, flushed: bool = True) -> Iterator[Path]:
    """A name to write a file or folder under, which becomes the path when it is whole.

    What was written is flushed to the disk before that, with the rights that the umask leaves; if
    anything fails it is taken away again, and so are the folders above that were made for it.

    Args:
        path: what is to be there in the end. A file there is replaced, a folder never.
        flushed: whether it is on the disk before the name is its own. For thousands of small files
            that can be made again, that would take longer than all the rest.

    Raises:
        OSError: it cannot be written, as on a full disk; names the path.
    """
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with making(path.parent), removing(partial):
            yield partial
            for file in [*(partial.iterdir() if partial.is_dir() else ()), partial]:
                file.chmod((0o777 if file.is_dir() else 0o666) & ~_umask())
                if flushed:
                    flush(file)
            if partial.is_dir():
                partial.rename(path)
            else:
                partial.replace(path)
            if flushed:
                flush(path.parent)
    except (TypeError, ValueError, ImportError):
        raise  # of what was to be written, or of what makes it
    except Exception as error:
        if isinstance(error, OSError) and error.errno is None:
            raise  # it names another file, which was read for this one
        raise _unwritable(path, error) from error


@contextmanager
def removing(path: Path) -> Iterator[None]:
    """Takes a file or folder away, before and after."""
    remove(path)
    try:
        yield
    finally:
        remove(path)


@contextmanager
def making(folder: Path) -> Iterator[None]:
    """Makes a folder and those above it; where what follows fails, takes away what it made."""
    made = lacking([folder])
    try:
        for each in reversed(made):
            each.mkdir(exist_ok=True)
            flush(each.parent)
        yield
    except BaseException:
        remove_empty(made)
        raise


def lacking(folders: Iterable[Path]) -> list[Path]:
    """Those of some folders, and of the folders above them, that are not there; deepest first."""
    wanted = {each for folder in folders for each in (folder, *folder.parents)}
    return sorted((each for each in wanted if not each.exists()), reverse=True)


def remove_empty(folders: Sequence[Path]) -> None:
    """Takes folders away, the deepest first, but for those that are not there or hold something."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def to_write(path: str | Path, folder: bool = False) -> Path:
    """A path, "~" expanded, once it is known that something can be written there.

    This is tried: before hours of work, not after them. Folders that lack are not made yet.

    Args:
        path: of a file, or of a folder that is to hold files.
        folder: whether it is a folder; then it may be there.

    Raises:
        IsADirectoryError, NotADirectoryError: a folder is where a file must be, or a file where a
            folder must be.
        OSError: it cannot be written; names the path.
    """
    path = Path(path).expanduser()
    if path.is_dir() and not folder:
        raise IsADirectoryError(f"{path} is a folder: name the file to write")
    ways = [path, *path.absolute().parents] if folder else list(path.absolute().parents)
    above = next(way for way in ways if way.exists())
    if not above.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {above} is no folder")
    trial = above / f".vqvae-lite-trial-{os.getpid()}"
    try:
        trial.mkdir()
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        remove(trial)
    return path


@contextmanager
def locked(folder: str | Path, use: str) -> Iterator[None]:
    """A folder that no other process may lock for a while; it is made, and what it lacks above it.

    The system holds the lock, on a file in the folder, for this process alone, not for one that it
    starts, and lets go of it however the process ends. Who holds it may lock the folder again.

    Args:
        folder: the folder.
        use: what for, such as "trained in".

    Raises:
        BlockingIOError: another process has locked it.
        OSError: nothing can be written in it.
    """
    folder = Path(folder)
    file = folder.absolute() / LOCK
    if file in _HELD:
        yield
        return
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _lock(file)
    except BlockingIOError:
        raise BlockingIOError(f"{folder} is being {use} by another process") from None
    except OSError as error:
        raise _unwritable(folder, error) from error
    _HELD.add(file)
    try:
        yield
    finally:
        _HELD.remove(file)
        if os.name == "nt":  # where nothing is removed that is open
            os.close(handle)
        with suppress(OSError):
            file.unlink()
            if made:
                folder.rmdir()  # if nothing came into it
        if os.name != "nt":
            os.close(handle)


def _lock(file: Path) -> int:
    """Opens a file and locks it; raises BlockingIOError where another process did."""
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
                return handle
            import fcntl

            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who had it before may have removed the file that was opened here.
            if file.exists() and os.path.samestat(os.fstat(handle), file.stat()):
                return handle
            os.close(handle)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                os.close(handle)
                raise BlockingIOError from None
            return handle  # not every file system has locks


def remove(path: Path) -> None:
    """Takes a file or a folder away, if it is there and can be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()


def flush(path: Path) -> None:
    """Makes sure that a file or folder is on the disk before the next step is taken."""
    try:
        # To be flushed a file must be open for writing on Windows, a folder for reading elsewhere.
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except PermissionError:
        if not path.is_dir():
            raise
        return  # Windows opens no folder; what is renamed in one it logs by itself
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def reason(error: BaseException) -> str:
    """What an error says, in one line, with the words for what lacks: memory, room, a key."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    text = lines[0]
    if _BY_WORKER.match(text):
        text = lines[-1].partition(": ")[2] or lines[-1]
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return f"it needs more memory than there is{f' ({text})' if text else ''}"
    if isinstance(error, RecursionError):
        return "it nests too deeply"
    if isinstance(error, KeyError):
        return f"it lacks {text}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return text or type(error).__name__


_SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _special(path: str | Path) -> str | None:
    """What stands at a path where that is neither a file nor a folder, else None."""
    try:
        return _SPECIAL.get(stat.S_IFMT(os.stat(path).st_mode))
    except OSError:
        return None


def _unwritable(path: Path, error: Exception) -> OSError:
    number = error.errno if isinstance(error, OSError) else None
    kind = PermissionError if number in (errno.EACCES, errno.EPERM) else OSError
    return kind(f"{path} cannot be written: {reason(error)}")


def _umask() -> int:
    """What the process takes from the rights of new files; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
