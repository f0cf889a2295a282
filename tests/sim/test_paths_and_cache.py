from pathlib import Path

import pytest

from tidegate.sim import CONTRACTS, cache_dir, checkout_root, paths
from tidegate.sim.cache import read_entry, write_atomically, write_entry


def test_the_cache_lies_in_the_checkout_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("TIDEGATE_CACHE", raising=False)
    assert cache_dir() == checkout_root() / ".cache" / "tidegate"
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path


def test_without_a_checkout_the_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("TIDEGATE_CACHE", raising=False)
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "site-packages" / "x" / "tidegate")
    assert checkout_root() is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "tidegate"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "tidegate"


def test_a_foreign_project_is_no_checkout_of_ours(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "src" / "tidegate")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "another"\n')
    assert checkout_root() is None
    (tmp_path / "pyproject.toml").write_text("not toml")
    assert checkout_root() is None
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "tidegate"\n')
    assert checkout_root() == tmp_path


def test_our_contracts_are_in_the_package():
    assert (CONTRACTS / "atomic_executor.vy").is_file()


def test_an_entry_is_read_back_or_not_believed(tmp_path):
    path = tmp_path / "deep" / "entry"
    assert read_entry(path) is None
    write_entry(path, b"payload")
    assert read_entry(path) == b"payload"
    for damaged in (b"", path.read_bytes()[:-1], path.read_bytes() + b"x", b"0" * 64 + b"\npayload"):
        path.write_bytes(damaged)
        assert read_entry(path) is None
    write_entry(path, b"")
    assert read_entry(path) == b""


def test_a_write_that_fails_leaves_the_old_content_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])
