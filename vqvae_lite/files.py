"""Files: those below a folder, one read whatever it holds, one written whole or not at all."""

import errno
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# How PyTorch says that memory does not suffice, where it does not raise what is made for it.
_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|size calculation overflowed")


def visible_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files with one of these suffixes in a folder and the folders in it, in order.

    None counts whose name, or folder below `folder`, starts with a dot.
    """
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in suffixes
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


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
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}: expected {kind}") from None
    except PermissionError:
        raise PermissionError(f"{path} may not be read by this user") from None
    except Exception as error:
        raise raises(f"{path} cannot be read as {kind}: {reason(error)}") from error


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A name to write a file or folder under, which becomes the path when it is whole.

    What was written is flushed to the disk before that, with the rights that the umask leaves; if
    anything fails it is taken away again. The folders above are made.

    Args:
        path: what is to be there in the end. A file there is replaced, a folder never.

    Raises:
        OSError: it cannot be written, as on a full disk; names the path.
    """
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        for folder in reversed([folder for folder in path.parents if not folder.exists()]):
            folder.mkdir(exist_ok=True)
            flush(folder.parent)
        remove(partial)
        yield partial
        for file in [*(partial.iterdir() if partial.is_dir() else ()), partial]:
            file.chmod((0o777 if file.is_dir() else 0o666) & ~_umask())
            flush(file)
        if partial.is_dir():
            partial.rename(path)
        else:
            partial.replace(path)
        flush(path.parent)
    except (TypeError, ValueError):
        raise  # of what was to be written
    except Exception as error:
        raise _unwritable(path, error) from error
    finally:
        remove(partial)


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


def remove(path: Path) -> None:
    """Takes a file or a folder away, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


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
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return f"it needs more memory than there is{f' ({text})' if text else ''}"
    if isinstance(error, RecursionError):
        return "it nests too deeply"
    if isinstance(error, KeyError):
        return f"it lacks {text}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return text or type(error).__name__


def _unwritable(path: Path, error: Exception) -> OSError:
    number = error.errno if isinstance(error, OSError) else None
    kind = PermissionError if number in (errno.EACCES, errno.EPERM) else OSError
    return kind(f"{path} cannot be written: {reason(error)}")


def _umask() -> int:
    """What the process takes from the rights of new files; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
