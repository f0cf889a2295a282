"""Canonical contracts: taken out of their npm packages once, into one local file, by digest.

A package that ships its sources alone is compiled by the pinned compiler that lies beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tidegate.chain import keccak256
from tidegate.model import Address, ConfigError, Unavailable, digest, sha256_hex
from tidegate.sim.cache import read_entry, write_entry
from tidegate.sim.catalogue import CATALOGUE
from tidegate.sim.packages import WHAT_STILL_WORKS, lock_file, package_folder
from tidegate.sim.paths import cache_dir
from tidegate.sim.solidity import compile_solidity

_ADDRESS_BYTES = 20


class Artifact(msgspec.Struct, frozen=True):
    """One contract as its package ships it, or as the package's source compiles.

    ``initcode_template`` has zero bytes where library addresses belong; ``link_references`` gives,
    by library, the offsets of these. ``initcode_keccak`` is of the template.
    """

    name: str
    package: str
    version: str
    abi: list[dict[str, Any]]
    initcode_template: bytes
    initcode_keccak: bytes
    link_references: dict[str, tuple[int, ...]]

    def link(self, libraries: Mapping[str, Address] | None = None) -> bytes:
        """Return the initcode with the addresses of ``libraries`` in place.

        Raises
        ------
        ConfigError
            If the libraries named are not exactly those that the contract needs.
        """
        given = dict(libraries or {})
        if given.keys() != self.link_references.keys():
            raise ConfigError(
                f"{self.name} is linked with other libraries",
                code="link",
                found=", ".join(sorted(given)) or "none",
                allowed=", ".join(sorted(self.link_references)) or "none",
            )
        code = bytearray(self.initcode_template)
        for library, offsets in self.link_references.items():
            for offset in offsets:
                code[offset : offset + _ADDRESS_BYTES] = bytes.fromhex(given[library][2:])
        return bytes(code)


class Artifacts(Mapping[str, Artifact]):
    """All contracts of the catalogue, by name. ``Artifacts.load()`` gets them."""

    def __init__(self, artifacts: Mapping[str, Artifact]) -> None:
        self._artifacts = dict(artifacts)

    @classmethod
    def load(cls) -> Artifacts:
        """Return the artifacts, from the local file or, the first time, from the npm packages.

        Raises
        ------
        Unavailable
            If neither is there; says what is missing and what still works.
        ConfigError
            If a package is not of the pinned version.
        """
        lock = lock_file()
        if lock is None:
            raise Unavailable(
                "there are no contract artifacts",
                code="npm_missing",
                found="no package-lock.json, no node_modules",
                allowed=WHAT_STILL_WORKS,
                fix="run from a checkout, or set TIDEGATE_NODE_MODULES to an installed node_modules",
            )
        key = digest({"lock": sha256_hex(lock.read_bytes()), "catalogue": CATALOGUE, "form": 1})
        place = cache_dir() / "artifacts" / f"{key[:32]}.msgpack"
        payload = read_entry(place)
        if payload is None:
            payload = msgspec.msgpack.encode({name: _extract(name) for name in CATALOGUE})
            write_entry(place, payload)
        return cls(msgspec.msgpack.decode(payload, type=dict[str, Artifact]))

    def __getitem__(self, name: str) -> Artifact:
        try:
            return self._artifacts[name]
        except KeyError:
            raise ConfigError(
                "no such contract in the catalogue",
                code="artifact",
                found=name,
                allowed=", ".join(sorted(self._artifacts)),
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._artifacts

    def __iter__(self) -> Iterator[str]:
        return iter(self._artifacts)

    def __len__(self) -> int:
        return len(self._artifacts)


def _extract(name: str) -> Artifact:
    package, path = CATALOGUE[name]
    folder = package_folder(package)
    is_source = path.endswith(".sol")
    shipped = compile_solidity(folder, path) if is_source else _read(folder / path)
    text = shipped["bytecode"].removeprefix("0x")
    references: dict[str, tuple[int, ...]] = {}
    for libraries in shipped.get("linkReferences", {}).values():
        for library, spots in libraries.items():
            references[library] = tuple(spot["start"] for spot in spots)
    for offsets in references.values():
        for offset in offsets:
            start, end = 2 * offset, 2 * (offset + _ADDRESS_BYTES)
            text = text[:start] + "00" * _ADDRESS_BYTES + text[end:]
    initcode = bytes.fromhex(text)
    return Artifact(
        name=name,
        package=package,
        version=_read(folder / "package.json")["version"],
        abi=shipped["abi"],
        initcode_template=initcode,
        initcode_keccak=keccak256(initcode),
        link_references=references,
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unavailable(
            "an installed npm package is damaged",
            code="npm_damaged",
            found=f"{path}: {error}",
            fix="run `npm ci` in the checkout",
        ) from error
