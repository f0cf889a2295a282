"""The systemd units: they load, they name commands that exist, and they keep their hardening."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tidegate.app.cli import application

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICES = ("tidegate-signer.service", "tidegate-signer-witness.service", "tidegate-run.service")
SOCKETS = ("tidegate-signer.socket", "tidegate-signer-admin.socket", "tidegate-signer-witness.socket")

EVERYWHERE = {
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "LimitCORE=0",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "PrivateIPC=yes",
    "ProtectProc=invisible",
    "ProtectControlGroups=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelLogs=yes",
    "RestrictNamespaces=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "UMask=0077",
    "StateDirectoryMode=0700",
}
SIGNER = {
    "PrivateNetwork=yes",
    "RestrictAddressFamilies=AF_UNIX",
    "IPAddressDeny=any",
    "MemorySwapMax=0",
    "MemoryDenyWriteExecute=yes",
    "ProcSubset=pid",
    "User=tidegate-signer",
    "Type=notify",
}


def lines(unit: str) -> set[str]:
    text = (UNITS / unit).read_text()
    return {line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("#", "["))}


@pytest.mark.parametrize("unit", SERVICES)
def test_every_service_is_hardened(unit: str) -> None:
    assert lines(unit) >= EVERYWHERE


def test_the_signer_s_service_has_no_network_no_swap_and_no_core() -> None:
    assert lines("tidegate-signer.service") >= SIGNER


@pytest.mark.parametrize("unit", SERVICES)
def test_no_service_hides_who_its_peers_are(unit: str) -> None:
    """In a user namespace the kernel shows every other user as nobody: the uid check would be void."""
    assert "PrivateUsers=yes" not in lines(unit)


@pytest.mark.parametrize("unit", SERVICES)
def test_no_password_stands_in_an_argument_or_environment(unit: str) -> None:
    told = [line for line in lines(unit) if line.startswith(("ExecStart", "Environment"))]
    assert told
    assert not any(re.search("password|secret|key=", line, re.IGNORECASE) for line in told)


def test_signer_witness_and_worker_are_three_users() -> None:
    users = [next(line for line in lines(unit) if line.startswith("User=")) for unit in SERVICES]
    assert len(set(users)) == 3


@pytest.mark.parametrize(
    ("unit", "user"), [*zip(SOCKETS, ("tidegate", "root", "tidegate-signer"), strict=True)]
)
def test_each_socket_belongs_to_the_one_user_that_may_open_it(unit: str, user: str) -> None:
    assert lines(unit) >= {"SocketMode=0600", f"SocketUser={user}"}


@pytest.mark.parametrize("unit", SERVICES)
def test_the_commands_exist_with_their_options(unit: str) -> None:
    [start] = [line for line in lines(unit) if line.startswith("ExecStart=")]
    verb, *rest = start.removeprefix("ExecStart=/opt/tidegate/bin/tidegate ").split()
    from typer.main import get_command

    command = get_command(application([verb])).commands[verb]  # type: ignore[attr-defined]
    if hasattr(command, "commands"):
        command = command.commands[rest[0]]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= options


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    for unit in (*SERVICES, *SOCKETS):
        text = (UNITS / unit).read_text().replace("/opt/tidegate/bin/tidegate", "/bin/true")
        (tmp_path / unit).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / unit) for unit in (*SERVICES, *SOCKETS))],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
