"""Sockets that one user may open: modes, leftovers, and those that the service manager hands over."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import tidegate.custody.sockets
from tidegate.custody import inherited, listen
from tidegate.custody.sockets import peer_uid
from tidegate.model import ConfigError, Unavailable


def test_a_socket_is_0600_in_a_folder_of_0700(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with listen(tmp_path / "new" / "s.sock"):
            assert (tmp_path / "new" / "s.sock").stat().st_mode & 0o777 == 0o600
            assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
        assert os.umask(0) == 0  # the mask is as it was
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ConfigError) as refused:
        listen(folder / "s.sock")
    assert refused.value.code == "socket_folder"
    assert "chmod 700" in str(refused.value.fix)


def test_a_leftover_is_replaced_and_a_living_socket_is_not(tmp_path: Path) -> None:
    path = tmp_path / "d" / "s.sock"
    listen(path).close()
    assert path.exists()
    with listen(path):
        with pytest.raises(Unavailable) as taken:
            listen(path)
        assert taken.value.code == "socket_taken"


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir(mode=0o700)
    (folder / "s.sock").write_text("precious")
    with pytest.raises(ConfigError, match="is no socket"):
        listen(folder / "s.sock")
    assert (folder / "s.sock").read_text() == "precious"


def test_a_path_that_is_too_long_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="107 bytes"):
        listen(tmp_path / "d" / ("x" * 120))


def test_the_other_end_s_user_is_told_by_the_kernel(tmp_path: Path) -> None:
    with listen(tmp_path / "d" / "s.sock") as listener, socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "d" / "s.sock"))
        accepted, _ = listener.accept()
        with accepted:
            assert peer_uid(accepted) == os.geteuid()


HANDED = """
import importlib.util, os, sys  # the file alone: importing the whole room takes a second
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_FDNAMES"] = "worker"
os.dup2(int(sys.argv[1]), 3)
spec = importlib.util.spec_from_file_location("sockets", sys.argv[2])
sockets = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sockets)
try:
    listener = sockets.inherited("worker")
    print("taken", listener is not None, os.get_inheritable(3), sockets.inherited("admin"))
except sockets.ConfigError as error:
    print(error.code, error.found)
"""


@pytest.mark.parametrize(
    ("mode", "said"),
    [(0o600, "taken True False None"), (0o660, "socket_mode srw-rw----"), (0o666, "socket_mode srw-rw-rw-")],
)
def test_a_socket_of_the_service_manager_is_taken_only_if_it_is_private(
    tmp_path: Path, mode: int, said: str
) -> None:
    path = tmp_path / "d" / "s.sock"
    with listen(path) as listener:
        path.chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", HANDED, str(listener.fileno()), tidegate.custody.sockets.__file__],
            pass_fds=(listener.fileno(),),
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    assert done.stdout.strip() == said, done.stderr


def test_a_network_socket_of_the_service_manager_is_refused() -> None:
    with socket.socket(socket.AF_INET) as listener:
        done = subprocess.run(
            [sys.executable, "-c", HANDED, str(listener.fileno()), tidegate.custody.sockets.__file__],
            pass_fds=(listener.fileno(),),
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    assert done.stdout.startswith("socket_mode"), done.stderr


def test_what_was_handed_to_another_process_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_FDNAMES", "worker")
    assert inherited("worker") is None
