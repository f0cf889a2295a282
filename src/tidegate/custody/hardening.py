"""What the signer's process gives up before it opens a key: network, programs, core dumps, debuggers.

On Linux a seccomp filter holds from here to the end of the process, whatever code runs in it: no
socket but Unix sockets can be made or received, no program started, no other process looked into.
Elsewhere the operating system offers nothing of the kind to Python: there the promise "no network"
rests on the service manager, and ``Confinement.network`` says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import socket
import stat
import struct
import sys
from pathlib import Path

import msgspec

from tidegate.model import ConfigError

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_SECCOMP_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_X32_CALLS = 0x40000000


class _Architecture(msgspec.Struct, frozen=True):
    """What the kernel calls a machine, and the numbers of its system calls."""

    audit: int
    seccomp: int
    with_family: tuple[int, ...]  # socket, socketpair
    refused: tuple[int, ...]


# ptrace, execve, execveat, process_vm_readv, process_vm_writev, pidfd_getfd, recvmsg, recvmmsg (both
# could receive another's socket), io_uring (makes sockets past a filter), bpf, perf_event_open,
# userfaultfd, unshare, setns. Source: the kernel's unistd.h of each machine.
_ARCHITECTURES = {
    "x86_64": _Architecture(
        0xC000003E,
        317,
        (41, 53),
        (101, 59, 322, 310, 311, 438, 47, 299, 425, 426, 427, 321, 298, 323, 272, 308),
    ),
    "aarch64": _Architecture(
        0xC00000B7,
        277,
        (198, 199),
        (117, 221, 281, 270, 271, 438, 212, 243, 425, 426, 427, 280, 241, 282, 97, 268),
    ),
}


class Confinement(msgspec.Struct, frozen=True):
    """What holds this process. ``network`` is ``seccomp`` or ``service manager``."""

    network: str
    has_core_dumps: bool = False
    is_readable: bool = False


def confine() -> Confinement:
    """Give up core dumps, debuggers and the network for good, and prove the last.

    Raises
    ------
    ConfigError
        ``unconfined`` if this is Linux and the kernel refuses: the signer does not run then.
    """
    _refuse_inherited_sockets()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return Confinement("service manager", is_readable=True)
    libc = ctypes.CDLL(None, use_errno=True)
    _need(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "prctl(PR_SET_DUMPABLE, 0) failed")
    machine = _ARCHITECTURES.get(platform.machine())
    if machine is None:
        return Confinement("service manager")
    _need(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "prctl(PR_SET_NO_NEW_PRIVS) failed")
    program = _filter(machine)
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    installed = libc.syscall(
        machine.seccomp, _SECCOMP_SET_MODE_FILTER, _ALL_THREADS, ctypes.create_string_buffer(header)
    )
    _need(installed == 0, f"seccomp failed: {os.strerror(ctypes.get_errno())}")
    _need(not can_reach_a_network(), "a network socket could still be made")
    return Confinement("seccomp")


def can_reach_a_network() -> bool:
    """Try to make a socket of a family that leaves the machine."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.socket(family, socket.SOCK_DGRAM).close()
        except PermissionError:
            continue
        except OSError:  # a kernel without that family
            continue
        return True
    return False


def _refuse_inherited_sockets() -> None:
    """Refuse to run with a descriptor that already leads to a network: the filter would not close it."""
    for entry in Path("/dev/fd").iterdir():
        descriptor = int(entry.name)
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            duplicate = socket.socket(fileno=os.dup(descriptor))
        except OSError:  # the descriptor of the listing itself, gone by now
            continue
        with duplicate:
            _need(
                duplicate.family == socket.AF_UNIX,
                f"descriptor {descriptor} is a {duplicate.family!r} socket",
            )


def _filter(machine: _Architecture) -> bytes:
    """Return the program: refuse what is listed, and sockets of any family but Unix; allow the rest."""
    code = [_step(_LOAD, _ARCHITECTURE_AT), _step(_EQUAL, machine.audit, 1, 0), _step(_RETURN, _KILL)]
    code.append(_step(_LOAD, _NUMBER_AT))
    code += [_step(_AT_LEAST, _X32_CALLS, 0, 1), _step(_RETURN, _REFUSE)]
    for number in machine.refused:
        code += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _REFUSE)]
    for number in machine.with_family:
        code += [
            _step(_EQUAL, number, 0, 4),
            _step(_LOAD, _FIRST_ARGUMENT_AT),  # the kernel reads an int: the low half of the argument
            _step(_EQUAL, socket.AF_UNIX, 0, 1),
            _step(_RETURN, _ALLOW),
            _step(_RETURN, _REFUSE),
        ]
    code.append(_step(_RETURN, _ALLOW))
    return b"".join(code)


def _step(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", operation, if_true, if_false, value)


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ConfigError(
            "this process can not be confined: the signer does not run",
            code="unconfined",
            found=what,
            allowed="a Linux kernel with seccomp filters, and no network socket handed over",
            fix="run it as deploy/systemd shows; in a container allow the seccomp system call",
        )
