"""Detached processes: started so that they outlive us, recognised before they are touched."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

_STOP_S = 3.0
_POLL_S = 0.01


# The process writes down its own number and only then becomes the command. Until that moment it holds the
# lock, as its input: who finds the lock free finds the number too, even if we are killed meanwhile.
_BECOME = 'echo $$ >"$1" && log=$2 && shift 2 && exec "$@" </dev/null >"$log" 2>&1'
# The shell in between ends at once, so that the process is nobody's child who still lives: it needs no
# waiting for. A shell gives what it puts in the background no input, unless it comes by another number.
_LEAVE = 'exec 3<&0; "$@" <&3 3<&- &'


def spawn_detached(command: Sequence[str], log: Path, pid_file: Path, lock: IO[str]) -> int:
    """Start ``command`` in a session of its own, its output in ``log``, and return its pid.

    It survives this program. ``pid_file`` holds its number before it begins, and ``lock`` is held by it
    until then. Raises ``OSError`` if its folder cannot be written.
    """
    # Our own words: the command is passed, never parsed. Its output is a pipe of ours until it begins.
    subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", _LEAVE, "sh", "/bin/sh", "-c", _BECOME, "sh", str(pid_file), str(log), *command],
        check=True,
        stdin=lock,
        capture_output=True,
        start_new_session=True,
    )
    written = pid_file.read_text(encoding="ascii")
    if not written:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(pid_file))
    return int(written)


def identity_of_command(pid: int, command: str) -> str | None:
    """Return the identity of a process if it runs ``command``, or is the shell about to become it."""
    deadline = time.monotonic() + _STOP_S
    while (identity := process_identity(pid)) is not None and identity.endswith(f" {command}"):
        if _BECOME not in identity or time.monotonic() > deadline:
            return identity
        time.sleep(_POLL_S)
    return None


def process_identity(pid: int) -> str | None:
    """Return what tells a process from every other: when it started, and its command line.

    None if there is no such process, or only its remains.
    """
    if Path("/proc/self/stat").exists():
        return _from_proc(pid)
    listed = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "stat=,lstart=,args=", "-p", str(pid)], check=False, capture_output=True, text=True
    )
    state, _, identity = listed.stdout.strip().partition(" ")
    return identity.strip() if state and not state.startswith("Z") else None


def stop_process(pid: int, identity: str) -> bool:
    """Stop the process if it is still the one with ``identity``; say whether it was.

    It gets three seconds to end by itself. A process that only has the same number is left alone.
    """
    if process_identity(pid) != identity:
        return False
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            return True
        if _is_gone(pid, identity):
            return True
    return True


def _is_gone(pid: int, identity: str) -> bool:
    deadline = time.monotonic() + _STOP_S
    while time.monotonic() < deadline:
        if process_identity(pid) != identity:
            return True
        time.sleep(_POLL_S)
    return False


def _from_proc(pid: int) -> str | None:
    try:
        # The name in the second field may hold anything, a parenthesis too; the rest is words.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    state, started = fields[0], fields[19]
    if state in "ZX" or not command:  # what is left of a process, or one that is just ending
        return None
    return f"{started} {command.replace(bytes(1), b' ').decode(errors='replace').strip()}"
