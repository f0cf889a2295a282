"""Vyper sources compiled, once for each source, compiler and set of settings."""

from __future__ import annotations

import importlib.metadata
import os
import warnings
from pathlib import Path
from typing import Any

import msgspec

from tidegate.model import ConfigError, SourcePosition, digest, sha256_hex
from tidegate.sim.cache import read_entry, write_entry
from tidegate.sim.paths import CONTRACTS, cache_dir

_FORMATS = ["abi", "bytecode", "bytecode_runtime", "integrity", "settings_dict"]


class Build(msgspec.Struct, frozen=True):
    """A compiled contract.

    ``runtime`` is as the constructor leaves it but for immutables, which it appends;
    ``source_digest`` is the compiler's own over the source and all it imports, and stands in the
    initcode's metadata. ``abi`` includes the errors listed in ``<name>.errors.json`` beside the source.
    """

    name: str
    abi: list[dict[str, Any]]
    initcode: bytes
    runtime: bytes
    source_digest: str
    compiler: str
    settings: dict[str, Any]
    warnings: tuple[str, ...] = ()


class _Entry(msgspec.Struct, frozen=True):
    build: Build
    imports: dict[str, str]
    """SHA-256 of every file that was read beside the source, by path relative to it."""


def compile_contract(
    contract: str | Path, *, optimize: str | None = None, evm_version: str | None = None
) -> Build:
    """Return the build of a contract, from the cache if nothing it depends on has changed.

    Parameters
    ----------
    contract
        A name like ``"atomic_executor"`` (a source of ours, also in ``contracts/devnet``), or the
        path of a source.
    optimize, evm_version
        ``gas``, ``codesize`` or ``none``; the target rules. By default what the source's pragmas
        say, else the compiler's defaults. Several processes may compile the same source at once.

    Raises
    ------
    ConfigError
        If there is no such source, or it does not compile; with file, line and column.
    """
    path = _find(contract)
    source = path.read_bytes()
    compiler = importlib.metadata.version("vyper")
    wanted = {"optimize": optimize, "evm_version": evm_version}
    key = digest({"source": sha256_hex(source), "name": path.stem, "compiler": compiler, "settings": wanted})
    place = cache_dir() / "builds" / f"{path.stem}-{key[:32]}.json"
    entry = _cached(place, path.parent)
    if entry is None:
        entry = _compile(path, wanted, compiler)
        write_entry(place, msgspec.json.encode(entry))
    return msgspec.structs.replace(entry.build, abi=[*entry.build.abi, *_listed_errors(path)])


def _find(contract: str | Path) -> Path:
    if isinstance(contract, Path):
        candidates = [contract]
    else:
        candidates = [folder / f"{contract}.vy" for folder in (CONTRACTS, CONTRACTS / "devnet")]
    for path in candidates:
        if path.is_file():
            return path.resolve()
    known = sorted(path.stem for path in CONTRACTS.rglob("*.vy"))
    raise ConfigError(
        "no such contract source",
        code="source_missing",
        found=str(contract),
        allowed=", ".join(known) if isinstance(contract, str) else "the path of a .vy file",
    )


def _cached(place: Path, folder: Path) -> _Entry | None:
    payload = read_entry(place)
    if payload is None:
        return None
    try:
        entry = msgspec.json.decode(payload, type=_Entry)
        unchanged = all(
            sha256_hex((folder / name).read_bytes()) == expected for name, expected in entry.imports.items()
        )
    except (msgspec.DecodeError, OSError):
        return None
    return entry if unchanged else None


def _compile(path: Path, wanted: dict[str, str | None], compiler: str) -> _Entry:
    # The compiler takes half a second to import: only who compiles waits for it.
    from vyper.compiler import compile_from_file_input
    from vyper.compiler.input_bundle import CompilerInput, FilesystemInputBundle
    from vyper.compiler.settings import OptimizationLevel, Settings
    from vyper.exceptions import VyperException

    class Recording(FilesystemInputBundle):
        """Remembers what the compiler read."""

        def _load_from_path(self, resolved_path: Path, original_path: Path) -> CompilerInput:
            loaded = super()._load_from_path(resolved_path, original_path)
            read[os.path.relpath(resolved_path, path.parent)] = sha256_hex(loaded.contents.encode())
            return loaded

    read: dict[str, str] = {}
    optimize = wanted["optimize"]
    try:
        settings = Settings(
            optimize=None if optimize is None else OptimizationLevel[optimize.upper()],
            evm_version=wanted["evm_version"],
        )
        bundle = Recording([CONTRACTS])  # type: ignore[no-untyped-call]
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            output = compile_from_file_input(
                bundle.load_file(path), input_bundle=bundle, settings=settings, output_formats=_FORMATS
            )
    except (VyperException, ValueError, KeyError, FileNotFoundError) as error:
        raise _compile_error(path, error) from error
    del read[path.name]
    build = Build(
        name=path.stem,
        abi=output["abi"],
        initcode=bytes.fromhex(output["bytecode"][2:]),
        runtime=bytes.fromhex(output["bytecode_runtime"][2:]),
        source_digest=output["integrity"],
        compiler=f"vyper {compiler}",
        settings=output["settings_dict"],
        warnings=tuple(str(item.message) for item in warned),
    )
    return _Entry(build=build, imports=read)


def _compile_error(path: Path, error: Exception) -> ConfigError:
    line, column = getattr(error, "lineno", None), getattr(error, "col_offset", None)
    for item in getattr(error, "annotations", None) or ():
        node = item[1] if isinstance(item, tuple) else item
        line, column = line or getattr(node, "lineno", None), column or getattr(node, "col_offset", None)
    position = SourcePosition(str(path), line, (column or 0) + 1) if line else None
    return ConfigError(
        "the contract does not compile", code="compile", found=f"{path.name}: {error}", position=position
    )


def _listed_errors(path: Path) -> list[dict[str, Any]]:
    """Return the custom errors that the source raises by raw bytes, which its ABI can not know."""
    beside = path.with_suffix(".errors.json")
    if not beside.exists():
        return []
    try:
        listed = msgspec.json.decode(beside.read_bytes(), type=list[dict[str, Any]])
    except msgspec.DecodeError as error:
        raise ConfigError(
            "not a list of ABI errors", code="errors_file", found=f"{beside}: {error}"
        ) from error
    return [{"type": "error", **item} for item in listed]
