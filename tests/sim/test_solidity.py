"""Sources of npm packages through the pinned Solidity compiler: the same bytes, once, or a reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tidegate.chain import decode_output, encode_call
from tidegate.model import Address, ConfigError, Unavailable
from tidegate.sim import Artifacts, FastWorld, solidity
from tidegate.sim.packages import package_folder
from tidegate.sim.solidity import compile_solidity

ALICE = Address("0x" + "a1" * 20)
LIBRARY = """pragma solidity ^0.8.0;
library Twice { function times(uint a) internal pure returns (uint) { return a * 2; } }
"""
SOURCE = """pragma solidity ^0.8.0;
import {Twice} from "./inner/Twice.sol";
contract Doubler { function double(uint a) external pure returns (uint) { return Twice.times(a); } }
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two sources, and a cache that holds nothing."""
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "package" / "src" / "inner").mkdir(parents=True)
    (tmp_path / "package" / "src" / "inner" / "Twice.sol").write_text(LIBRARY)
    (tmp_path / "package" / "src" / "Doubler.sol").write_text(SOURCE)
    return tmp_path / "package"


def test_a_package_of_sources_is_compiled_once_and_runs(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = compile_solidity(package, "src/Doubler.sol")
    world = FastWorld()
    world.set_balance(ALICE, 1)
    doubler = world.deploy(bytes.fromhex(built["bytecode"]), sender=ALICE)
    assert decode_output(("uint256",), world.call(doubler, encode_call("double(uint256)", 21))) == (42,)
    assert [item["name"] for item in built["abi"]] == ["double"]
    monkeypatch.setattr(solidity, "_compile", None)
    assert compile_solidity(package, "src/Doubler.sol") == built


def test_a_changed_source_or_import_is_compiled_again_and_an_error_is_told(package: Path) -> None:
    first = compile_solidity(package, "src/Doubler.sol")
    library = package / "src" / "inner" / "Twice.sol"
    library.write_text(LIBRARY.replace("a * 2", "a * 3"))
    assert compile_solidity(package, "src/Doubler.sol")["bytecode"] != first["bytecode"]
    library.write_text(LIBRARY.replace("a * 2", "b * 2"))
    with pytest.raises(ConfigError, match="does not compile") as caught:
        compile_solidity(package, "src/Doubler.sol")
    assert "inner/Twice.sol:2:" in str(caught.value.found)


def test_without_node_it_says_so(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Unavailable, match="node was not found") as caught:
        compile_solidity(package, "src/Doubler.sol")
    assert "install Node 20" in str(caught.value.fix)


def test_a_compiler_that_does_not_answer_is_named(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "solc"
    shutil.copytree(package_folder("solc"), broken, ignore=lambda *_: ["soljson.js"])
    (broken / "solc.js").write_text("console.log('out of order')")
    monkeypatch.setattr(solidity, "package_folder", lambda _: broken)
    with pytest.raises(Unavailable, match="does not answer"):
        compile_solidity(package, "src/Doubler.sol")


def test_morpho_blue_is_the_build_that_we_know() -> None:
    """What the pinned source gives by the pinned compiler with its project's settings, 16,055 bytes."""
    morpho = Artifacts.load()["Morpho"]
    assert morpho.package == "@morpho-org/morpho-blue"
    assert morpho.initcode_keccak.hex() == "d551b9b4685579df797eebbfb5f968e32d9f632b071a8f4b7cd952a38904b091"
    assert solidity.SETTINGS == {"viaIR": True, "optimizer": {"enabled": True, "runs": 999_999}}
