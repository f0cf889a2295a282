"""Passwords come from a file descriptor, a systemd credential or a terminal, and from nowhere else."""

from __future__ import annotations

import os
import pty
import sys
from pathlib import Path

import pytest

from tidegate.custody.keys import Password, check_source, read_password
from tidegate.model import ConfigError


def descriptor_with(content: bytes) -> int:
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return reading


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_password_comes_from_a_descriptor_once(ending: bytes) -> None:
    descriptor = descriptor_with(b"correct horse" + ending)
    assert read_password(f"fd:{descriptor}", what="desk") == Password(b"correct horse")
    with pytest.raises(ConfigError) as again:
        read_password(f"fd:{descriptor}", what="desk")
    assert again.value.code == "password_source"


def test_a_password_comes_from_a_systemd_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "desk").write_bytes(b"correct horse\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_password("credential:desk", what="desk") == Password(b"correct horse")
    with pytest.raises(ConfigError, match="LoadCredentialEncrypted"):
        read_password("credential:other", what="desk")


def test_a_credential_outside_a_unit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match="no systemd service"):
        read_password("credential:desk", what="desk")


@pytest.mark.parametrize(
    "source", ["hunter2-the-password", "env:PASSWORD", "file:/etc/x", "credential:../x", "fd:-1", "fd:x", ""]
)
def test_no_other_source_is_taken_and_the_text_is_not_repeated(source: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_source(source)
    assert refused.value.code == "password_source"
    assert not source or source not in str(refused.value)


def test_a_terminal_is_asked_twice_for_a_new_password(monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = pty.openpty()
    with os.fdopen(follower) as terminal, os.fdopen(leader):
        monkeypatch.setattr(sys, "stdin", terminal)
        answers = iter(["one", "one", "one", "two"])
        asked: list[str] = []

        def ask(question: str) -> str:
            asked.append(question)
            return next(answers)

        assert read_password("terminal", what="desk", repeat=True, ask=ask) == Password(b"one")
        with pytest.raises(ConfigError, match="differ"):
            read_password("terminal", what="desk", repeat=True, ask=ask)
        assert asked[0] == "Password of desk: "


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(ConfigError, match="no terminal"):
            read_password("terminal", what="desk")


def test_an_empty_or_endless_password_is_refused() -> None:
    with pytest.raises(ConfigError) as empty:
        read_password(f"fd:{descriptor_with(b'')}", what="desk")
    assert empty.value.code == "password_empty"
    with pytest.raises(ConfigError, match="4096"):
        read_password(f"fd:{descriptor_with(b'x' * 5000)}", what="desk")
