"""What the signer's process gives up: each proved by trying it, beside a process that did not."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tidegate.custody.hardening

HARDENING = Path(tidegate.custody.hardening.__file__)
LOAD = f"""
import importlib.util  # the file alone: a process that imports the whole room takes a second to start
spec = importlib.util.spec_from_file_location("hardening", {str(HARDENING)!r})
hardening = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hardening)
confine = hardening.confine
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")


def run(
    script: str, *, cwd: Path | None = None, pass_fds: tuple[int, ...] = (), core: bool = False
) -> subprocess.CompletedProcess[str]:
    def allow_core() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    return subprocess.run(
        [sys.executable, "-c", LOAD + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=cwd,
        pass_fds=pass_fds,
        preexec_fn=allow_core if core else None,
        check=False,
    )


PROBES = """
    import ctypes, os, socket, subprocess

    def tried(act):
        try:
            act()
        except OSError as error:
            return type(error).__name__
        return "done"

    def probe():
        families = ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_BLUETOOTH", "AF_ALG")
        for name in families:
            family = getattr(socket, name, None)
            if family is not None:
                kind = socket.SOCK_RAW if name in ("AF_PACKET", "AF_NETLINK") else socket.SOCK_STREAM
                if name == "AF_ALG": kind = socket.SOCK_SEQPACKET
                print(name, tried(lambda: socket.socket(family, kind).close()))
        print("connect", tried(lambda: socket.create_connection(("127.0.0.1", 1), 1)))
        print("program", tried(lambda: subprocess.run(["true"])))
        a, b = socket.socketpair(socket.AF_UNIX)
        socket.send_fds(a, [b"x"], [0])
        print("receive", tried(lambda: socket.recv_fds(b, 1, 1)))
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.restype = ctypes.c_long
        io_uring = libc.syscall(425, 1, ctypes.create_string_buffer(120))
        print("io_uring", ctypes.get_errno() if io_uring < 0 else "done")
        print("ptrace", ctypes.get_errno() if libc.ptrace(0, 0, 0, 0) < 0 else "done")
        a, b = socket.socketpair()
        a.sendall(b"unix"); print("unix", b.recv(4).decode())
    %s
    probe()
"""


@linux
def test_no_socket_but_unix_sockets_no_program_no_tracing() -> None:
    done = run(PROBES % "confine()")
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert said.pop("unix") == "unix"
    assert said.pop("io_uring") == "1"
    assert said.pop("ptrace") == "1"
    assert set(said.values()) == {"PermissionError"}
    assert {"AF_INET", "AF_INET6", "AF_NETLINK", "connect", "program", "receive"} <= set(said)


@linux
def test_the_same_probes_succeed_where_nothing_was_given_up() -> None:
    done = run(PROBES % "")
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert (said["AF_INET"], said["program"], said["receive"], said["ptrace"]) == ("done",) * 4
    assert said["connect"] == "ConnectionRefusedError"


@linux
def test_the_filter_holds_every_thread_and_can_not_be_taken_back() -> None:
    done = run(
        """
        import ctypes, socket, threading

        confine()
        said = []

        def probe():
            try:
                socket.socket(socket.AF_INET)
            except PermissionError:
                said.append("refused")

        thread = threading.Thread(target=probe)
        thread.start()
        thread.join()
        print(said[0], confine().network, open("/proc/self/status").read().split("NoNewPrivs:")[1].split()[0])
        """
    )
    assert done.stdout.split() == ["refused", "seccomp", "1"], done.stderr


@linux
def test_a_process_that_was_handed_a_network_socket_does_not_run() -> None:
    with socket.socket(socket.AF_INET) as handed:
        done = run("confine()", pass_fds=(handed.fileno(),))
    assert done.returncode == 1
    assert "can not be confined" in done.stderr
    assert "AF_INET" in done.stderr


CRASH = """
    import os, signal
    secret = bytes.fromhex("%s")
    %s
    os.kill(os.getpid(), signal.SIGSEGV)
"""


@linux
def test_there_is_no_core_dump(tmp_path: Path) -> None:
    secret = os.urandom(32)
    pid_pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    may_dump = resource.getrlimit(resource.RLIMIT_CORE)[1] != 0
    control, confined = tmp_path / "control", tmp_path / "confined"
    for folder, give_up in ((control, "pass"), (confined, "confine()")):
        folder.mkdir()
        done = run(CRASH % (secret.hex(), give_up), cwd=folder, core=True)
        assert done.returncode == -signal.SIGSEGV
    assert list(confined.iterdir()) == []
    if may_dump and not pid_pattern.startswith(("|", "/")):  # the control: this machine does dump
        [core] = control.iterdir()
        assert secret in core.read_bytes()
        core.unlink()


@linux
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_process_of_the_same_user_can_not_read_its_memory() -> None:
    """Two processes of the user nobody: one holds a secret, the other reads /proc of the first."""
    done = run(
        """
        import os, sys

        def as_nobody(act):
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                os.setgroups([]); os.setgid(65534); os.setuid(65534)
                act(writing)
                os._exit(0)
            return child, reading

        def holder(give_up):
            stop, end = os.pipe()
            def hold(writing):
                os.close(end)
                if give_up:
                    confine()
                else:
                    import ctypes
                    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # dumpable again after setuid: an ordinary process
                os.write(writing, b"r")
                os.read(stop, 1)
            child, reading = as_nobody(hold)
            os.read(reading, 1)
            def look(writing):
                said = []
                for name in ("mem", "environ", "maps", "fd"):
                    try:
                        if name == "fd":
                            os.listdir(f"/proc/{child}/fd")
                        else:
                            with open(f"/proc/{child}/{name}", "rb") as file:
                                if name != "mem": file.read(1)
                        said.append("read")
                    except PermissionError:
                        said.append("refused")
                os.write(writing, " ".join(said).encode())
            other, answer = as_nobody(look)
            os.waitpid(other, 0)
            print(os.read(answer, 100).decode())
            os.close(end)
            os.waitpid(child, 0)

        holder(False)
        holder(True)
        """
    )
    assert done.stdout.splitlines() == ["read read read read", "refused refused refused refused"], done.stderr


def test_elsewhere_the_promise_rests_on_the_service_manager_and_says_so() -> None:
    done = run(
        """
        import sys
        sys.platform = "darwin"
        print(confine())
        """
    )
    assert "network='service manager'" in done.stdout, done.stderr
