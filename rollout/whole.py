"""Files and folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from murk.envs.errors import UsageError


@contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """A place beside `out` to write a file or folder at, which gets its name at the end; it goes if something raises.

    Raises:
        UsageError: there is something at `out` already, or nothing can be written beside it.
    """
    check_free(out)
    partial = out.with_name(f".{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        yield partial
        os.replace(partial, out)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}.") from None
    finally:
        with suppress(OSError):
            _remove(partial)


def check_free(out: Path) -> None:
    """Refuses a place that is taken; nothing is ever overwritten.

    Raises:
        UsageError: there is something at it.
    """
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} exists already; nothing is overwritten.")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
