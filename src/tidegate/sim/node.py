"""The node's process: started on loopback, watched, and never left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from tidegate.model import Block, Unavailable
from tidegate.sim.packages import anvil_binary
from tidegate.sim.paths import cache_dir

_LISTENING = re.compile(r"Listening on (127\.0\.0\.1:\d+)")
_LINES_KEPT = 40
_STOP_S = 3.0
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Node:
    """One anvil process on a port of loopback that the system chose.

    It is stopped by ``close``, by the end of this object, and, on Linux, by the kernel when the
    thread that started it ends: start it from a thread that outlives it.

    Raises
    ------
    Unavailable
        If there is no program, or it does not come up; with what it printed.
    """

    def __init__(self, arguments: Sequence[str], *, start_timeout_s: float = 20.0) -> None:
        scratch = _own_scratch()
        command = [str(anvil_binary()), "--port", "0", "--cache-path", str(scratch), *arguments]
        self._output = _Output()
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own program, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                cwd=scratch,
                start_new_session=True,  # Ctrl-C is for us: the node outlives it until it is stopped
                preexec_fn=_die_with_parent(os.getpid()),
            )
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise Unavailable("the node can not be started", code="node_start", found=str(error)) from error
        self._stopper = weakref.finalize(self, _stop, self._process, scratch)
        # The thread must not hold this object, or forgetting it would never stop the process.
        reader = threading.Thread(
            target=self._output.follow, args=(self._process,), name="anvil-output", daemon=True
        )
        reader.start()
        if not self._output.started.wait(start_timeout_s) or not self._output.endpoint:
            self.close()
            raise Unavailable("the node did not start", code="node_start", found=self.printed)

    @property
    def url(self) -> str:
        """Return where the node listens."""
        return f"http://{self._output.endpoint}"

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Say whether the process still runs."""
        return self._process.poll() is None

    def has_ended(self, *, within_s: float) -> bool:
        """Say whether the process ends by itself within a time: its sockets close a moment before it does."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        return not self.is_alive

    @property
    def printed(self) -> str:
        """Return the last lines that the node printed, and how it ended if it did."""
        code = self._process.poll()
        return "\n".join([*self._output.lines, *([] if code is None else [_how(code)])])

    def close(self) -> None:
        """Stop the process and wait until it is gone. Doing it again does nothing."""
        self._stopper()


class _Output:
    """What the process prints: where it listens, and the last lines."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self.started = threading.Event()
        self.endpoint = ""

    def follow(self, process: subprocess.Popen[str]) -> None:
        """Read until the process ends, so that it never waits for a reader."""
        if process.stdout is not None:
            with contextlib.closing(process.stdout) as stream:
                for line in stream:
                    self.lines.append(line.rstrip())
                    if not self.endpoint and (match := _LISTENING.search(line)):
                        self.endpoint = match[1]
                        self.lines.clear()
                        self.started.set()
        self.started.set()


def node_arguments(
    *,
    chain_id: int,
    genesis: Block,
    hardfork: str,
    order: str,
    fork_url: str | None,
    fork_block: int | None,
) -> list[str]:
    """Return the arguments that make a node deterministic and free of accounts of its own."""
    arguments = [
        *("--host", "127.0.0.1", "--accounts", "0", "--chain-id", str(chain_id), "--order", order),
        *("--gas-limit", str(genesis.gas_limit), "--hardfork", hardfork, "--no-cors"),
        *("--auto-impersonate", "--disable-min-priority-fee", "--no-request-size-limit"),
    ]
    if fork_url is None:
        start = ["--timestamp", str(genesis.timestamp), "--base-fee", str(genesis.base_fee_wei)]
        return [*arguments, *start, "--number", str(genesis.number)]
    pinned = [] if fork_block is None else ["--fork-block-number", str(fork_block)]
    return [*arguments, "--fork-url", fork_url, "--no-storage-caching", *pinned]


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    known = {number.value: number.name for number in signal.Signals}
    return f"ended by signal {-code} ({known.get(-code, 'unknown')})"


def _die_with_parent(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


def _own_scratch() -> Path:
    """Return an empty folder for old states that the node puts on disk; dead processes' go."""
    root = cache_dir() / "anvil"
    root.mkdir(parents=True, exist_ok=True)
    for folder in root.iterdir():
        owner = folder.name.partition("-")[0]
        if owner.isdigit() and not _is_running(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=root, prefix=f"{os.getpid()}-"))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _stop(process: subprocess.Popen[str], scratch: Path) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    shutil.rmtree(scratch, ignore_errors=True)
