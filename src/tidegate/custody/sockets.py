"""Unix sockets that one user may open: bound by us, or handed over by the service manager.

A socket of mode 0600 can be opened by its owner alone. Where worker and signer are one user the
signer binds its own, in a folder of mode 0700. Where they are two (as they should be), systemd binds
it for the worker's user and hands it to the signer, as ``deploy/systemd`` shows: then nobody needs
rights over the other.
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
from pathlib import Path

from tidegate.model import ConfigError, Unavailable

_BACKLOG = 64
_FIRST_INHERITED = 3
_CREDENTIALS = struct.Struct("3i")


def listen(path: Path) -> socket.socket:
    """Bind and listen at ``path``: the socket 0600, its folder 0700.

    Raises
    ------
    ConfigError
        ``socket_folder`` if others may enter the folder, or it is someone else's.
    Unavailable
        ``socket_taken`` if another process answers there.
    """
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.stat()
    if state.st_uid != os.geteuid() or state.st_mode & 0o077:
        raise ConfigError(
            f"the folder {folder} is no place for the signer's socket",
            code="socket_folder",
            found=f"{stat.filemode(state.st_mode)} of user {state.st_uid}",
            allowed=f"drwx------ of user {os.geteuid()}",
            fix=f"chmod 700 {folder}, or name another folder",
        )
    _clear_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"no socket can be bound at {path}",
            code="socket_path",
            found=error.strerror or str(error),
            allowed="a path of at most 107 bytes in a folder of ours",
            fix="name a shorter path",
        ) from error
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    return listener


def inherited(name: str) -> socket.socket | None:
    """Return the listening socket that the service manager handed over as ``name``, if it did.

    Raises
    ------
    ConfigError
        ``socket_mode`` if its path may be opened by more than its owner.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    count = int(os.environ.get("LISTEN_FDS", "0"))
    for offset, given in enumerate(names[:count]):
        if given == name:
            listener = socket.socket(fileno=_FIRST_INHERITED + offset)
            os.set_inheritable(listener.fileno(), False)
            _check_inherited(listener, name)
            return listener
    return None


def peer_uid(connected: socket.socket) -> int:
    """Return the user who opened the other end, by the kernel's word."""
    if hasattr(socket, "SO_PEERCRED"):
        raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(raw)
        return int(uid)
    uid, gid = ctypes.c_uint32(), ctypes.c_uint32()  # BSD and macOS
    if ctypes.CDLL(None, use_errno=True).getpeereid(connected.fileno(), ctypes.byref(uid), ctypes.byref(gid)):
        raise OSError(ctypes.get_errno(), "getpeereid")
    return uid.value


def _clear_stale(path: Path) -> None:
    """Remove a socket that nobody answers on; leave everything else alone."""
    try:
        state = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(state.st_mode):
        raise ConfigError(
            f"{path} is no socket",
            code="socket_path",
            found=stat.filemode(state.st_mode),
            allowed="nothing there, or a socket that was left over",
            fix="name another path",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError:  # it exists and does not say that nobody listens
            pass
    raise Unavailable(
        f"another process answers at {path}",
        code="socket_taken",
        found="a listening socket",
        allowed="one signer a socket",
        fix="stop that process, or name another socket",
    )


def _check_inherited(listener: socket.socket, name: str) -> None:
    place = listener.getsockname() if listener.family == socket.AF_UNIX else ""
    mode = Path(place).stat().st_mode if isinstance(place, str) and place.startswith("/") else None
    if mode is None or not stat.S_ISSOCK(mode) or mode & 0o177:
        raise ConfigError(
            f"the socket {name!r} that the service manager handed over is open to others",
            code="socket_mode",
            found="no Unix socket with a path" if mode is None else stat.filemode(mode),
            allowed="srw-------",
            fix="SocketMode=0600 in its .socket unit",
        )
