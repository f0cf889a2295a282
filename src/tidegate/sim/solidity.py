"""Solidity sources of npm packages that ship no bytecode, compiled by the pinned ``solc`` package.

The compiler is JavaScript and takes ten seconds and more for one contract, so a build is kept with our
own builds, by everything that it follows from.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import msgspec

from tidegate.model import ConfigError, Unavailable, digest, sha256_hex
from tidegate.sim.cache import read_entry, write_entry
from tidegate.sim.packages import WHAT_STILL_WORKS, package_folder
from tidegate.sim.paths import cache_dir

COMPILER = "solc"
"""The npm package of the compiler; ``package-lock.json`` pins its version."""

SETTINGS: dict[str, Any] = {"viaIR": True, "optimizer": {"enabled": True, "runs": 999_999}}
"""How Morpho Blue's own project builds it; the target rules are the compiler's default."""

_TIME_LIMIT_S = 600


def compile_solidity(folder: Path, source: str) -> dict[str, Any]:
    """Return what a build tool would write for one contract: ``abi``, ``bytecode``, ``linkReferences``.

    Parameters
    ----------
    folder
        An installed package; all Solidity files beside and below the source belong to it.
    source
        The file's path in the package; the contract is called as the file is.

    Raises
    ------
    Unavailable
        If the compiler or Node is missing, or the compiler does not answer.
    ConfigError
        If the source does not compile, with what the compiler says.
    """
    path = folder / source
    texts = {
        str(file.relative_to(folder)): file.read_text(encoding="utf-8")
        for file in sorted(path.parent.rglob("*.sol"))
    }
    compiler = package_folder(COMPILER)
    version = json.loads((compiler / "package.json").read_text(encoding="utf-8"))["version"]
    sources = {name: sha256_hex(text.encode()) for name, text in texts.items()}
    key = digest({"source": source, "sources": sources, "compiler": version, "settings": SETTINGS})
    place = cache_dir() / "builds" / f"{path.stem}-{key[:32]}.json"
    payload = read_entry(place)
    if payload is None:
        payload = msgspec.json.encode(_compile(compiler / "solc.js", source, texts))
        write_entry(place, payload)
    built: dict[str, Any] = msgspec.json.decode(payload)
    return built


def _compile(compiler: Path, source: str, texts: dict[str, str]) -> dict[str, Any]:
    name = Path(source).stem
    wanted = {
        "language": "Solidity",
        "sources": {file: {"content": text} for file, text in texts.items()},
        "settings": SETTINGS | {"outputSelection": {source: {name: ["abi", "evm.bytecode"]}}},
    }
    answer = _run(compiler, json.dumps(wanted))
    errors = [item for item in answer.get("errors", ()) if item["severity"] == "error"]
    if errors:
        raise ConfigError(
            "the contract does not compile",
            code="compile",
            found=f"{source}: {errors[0]['formattedMessage'].strip()}",
            fix="run `npm ci` in the checkout",
        )
    contract = answer["contracts"][source][name]
    code = contract["evm"]["bytecode"]
    return {"abi": contract["abi"], "bytecode": code["object"], "linkReferences": code["linkReferences"]}


def _run(compiler: Path, wanted: str) -> dict[str, Any]:
    """Return what the compiler answers to a request in its standard JSON form."""
    node = shutil.which("node")
    if node is None:
        raise Unavailable(
            "node was not found: it runs the Solidity compiler",
            code="npm_missing",
            found="no program node on PATH",
            allowed=WHAT_STILL_WORKS,
            fix="install Node 20 or newer, then run the same command again",
        )
    try:
        # Files, not pipes: the program reads its input in one go and ends before a pipe is drained.
        with TemporaryFile("w+", encoding="utf-8") as request, TemporaryFile("w+", encoding="utf-8") as reply:
            request.write(wanted)
            request.seek(0)
            subprocess.run(  # noqa: S603 - the pinned package's own program, no shell
                [node, str(compiler), "--standard-json"],
                stdin=request,
                stdout=reply,
                stderr=subprocess.STDOUT,
                timeout=_TIME_LIMIT_S,
                check=False,
            )
            reply.seek(0)
            said = reply.read()
        answer: dict[str, Any] = json.loads(said[said.index("\n{") :])  # after a line of its own
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise Unavailable(
            "the Solidity compiler does not answer",
            code="solc",
            found=f"{compiler}: {error}",
            fix="run `npm ci` in the checkout",
        ) from error
    return answer
