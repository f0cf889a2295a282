"""What the operating system refuses, said as an error of ours; and an output that takes no more."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from tidegate.app.cli.common import report_error
from tidegate.model import ConfigError, TidegateError, Unavailable

_WRONG_PLACE = {
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EINVAL),
}
_SHOWN = 200


def refused_by_system(error: OSError) -> TidegateError:
    """Return what to tell a person: the place to mend, or what is short just now."""
    found = error.strerror or str(error)
    if error.filename is not None:
        name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
        found = f"{found}: {name if len(name) <= _SHOWN else name[:_SHOWN] + '…'}"
    if error.errno in _WRONG_PLACE:
        return ConfigError(
            "a file or folder cannot be used",
            code="place",
            found=found,
            allowed="a path that the system takes and that this user may use",
            fix="mend that path, or TIDEGATE_HOME or TIDEGATE_CACHE if it lies there",
        )
    if error.errno == errno.ENOSPC and error.filename is None:
        return _full(found)
    return Unavailable(
        "the system refuses",
        code="system",
        found=found,
        allowed="free space, memory and files to open",
        fix="tidegate doctor",
    )


def report_refused(error: OSError, *, as_json: bool) -> int:
    """Print ``refused_by_system`` and return its exit code; people's form if the output is what failed."""
    refused = refused_by_system(error)
    try:
        code = report_error(refused, as_json=as_json)
        sys.stdout.flush()
    except OSError:
        _mute()
        return report_error(refused, as_json=False) if as_json else refused.exit_code
    return code


def have_output() -> None:
    """Let what is printed go nowhere if there is no standard output or error at all (``>&-``)."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def finish_output(code: int, *, as_json: bool) -> int:
    """Put what was printed out at last; return the exit code, another one if that fails.

    A reader that closed its end has seen enough: that is no failure.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        _mute()
        if isinstance(error, BrokenPipeError) or (code != 0 and not as_json):
            return code  # a person has been told already, on standard error
        report_error(_full(str(error)), as_json=False)
        return code or Unavailable.exit_code
    return code


def _full(found: str) -> Unavailable:
    return Unavailable(
        "an output takes no more",
        code="output",
        found=found,
        allowed="an output with space left",
        fix="free space, or write elsewhere; what was done is done, only its report is lost",
    )


def _mute() -> None:
    """Let what is still buffered go nowhere: the interpreter would complain about it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
