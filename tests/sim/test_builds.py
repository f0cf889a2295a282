import json
import multiprocessing
from pathlib import Path

import pytest
from tests.sim.assembly import ALICE, number

from tidegate.chain import encode_call
from tidegate.model import ConfigError
from tidegate.sim import FastWorld, WorldReverted, builds, compile_contract

LIBRARY = """
@internal
@pure
def twice(a: uint256) -> uint256:
    return a * 2
"""
SOURCE = """
import library

@external
@pure
def double(a: uint256) -> uint256:
    assert a != 13, "doubler: unlucky"
    return library.twice(a)
"""


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "library.vy").write_text(LIBRARY)
    path = tmp_path / "doubler.vy"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def compilations(monkeypatch) -> list[Path]:
    done = []
    real = builds._compile

    def counted(path, *rest):
        done.append(path)
        return real(path, *rest)

    monkeypatch.setattr(builds, "_compile", counted)
    return done


def entry(source: Path) -> Path:
    (found,) = (source.parent / "cache" / "builds").glob("doubler-*.json")
    return found


def test_a_build_runs(source):
    build = compile_contract(source)
    world = FastWorld()
    contract = world.deploy(build.initcode, sender=ALICE)
    assert world.code(contract) == build.runtime
    assert number(world.call(contract, encode_call("double(uint256)", 21))) == 42
    with pytest.raises(WorldReverted, match="doubler: unlucky") as caught:
        world.call(contract, encode_call("double(uint256)", 13))
    assert caught.value.revert.kind == "error"
    assert (build.name, build.compiler) == ("doubler", "vyper 0.4.3")
    assert [item["name"] for item in build.abi] == ["double"]


def test_an_unchanged_source_is_not_compiled_again(source, compilations):
    assert compile_contract(source) == compile_contract(source)
    assert len(compilations) == 1


def test_a_change_of_source_import_or_settings_is_a_new_build(source, compilations):
    first = compile_contract(source)
    (source.parent / "library.vy").write_text(LIBRARY.replace("a * 2", "a * 2 + 0"))
    second = compile_contract(source)
    source.write_text(SOURCE + "\n# changed\n")
    third = compile_contract(source)
    other = compile_contract(source, optimize="codesize")
    older = compile_contract(source, evm_version="cancun")
    assert len(compilations) == 5
    assert len({build.source_digest for build in (first, second, third)}) == 3
    assert other.settings["optimize"] == "codesize"
    assert older.settings["evm_version"] == "cancun"
    compile_contract(source)
    assert len(compilations) == 5


def test_a_removed_import_is_found_out(source):
    compile_contract(source)
    (source.parent / "library.vy").unlink()
    with pytest.raises(ConfigError, match="does not compile"):
        compile_contract(source)


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda c: c[:-20], lambda c: c.replace(b'"name"', b'"nome"', 1)]
)
def test_a_damaged_cache_entry_is_made_again(source, compilations, damage):
    build = compile_contract(source)
    path = entry(source)
    path.write_bytes(damage(path.read_bytes()))
    assert compile_contract(source) == build
    assert compile_contract(source) == build
    assert len(compilations) == 2


def test_listed_errors_join_the_abi_and_decode(source):
    listed = [{"name": "UnderBound", "inputs": [{"name": "by", "type": "uint256"}]}]
    (source.parent / "doubler.errors.json").write_text(json.dumps(listed))
    build = compile_contract(source)
    assert {"type": "error", **listed[0]} in build.abi
    (source.parent / "doubler.errors.json").write_text("{not json")
    with pytest.raises(ConfigError, match="not a list of ABI errors"):
        compile_contract(source)


def test_an_error_in_the_source_has_file_line_and_column(source):
    source.write_text(SOURCE.replace("library.twice(a)", "nothing"))
    with pytest.raises(ConfigError) as caught:
        compile_contract(source)
    assert (caught.value.position.file, caught.value.position.line) == (str(source), 8)
    assert "'nothing' has not been declared" in caught.value.found


@pytest.mark.parametrize("wanted", [Path("/nowhere/to.vy"), "no_such_contract", Path("relative.vy")])
def test_a_source_that_is_not_there_is_named(wanted):
    with pytest.raises(ConfigError, match="no such contract source") as caught:
        compile_contract(wanted)
    assert str(wanted) in caught.value.found


def test_unknown_settings_are_refused(source):
    with pytest.raises(ConfigError):
        compile_contract(source, optimize="much")


def _compile_in(path: str) -> str:
    return compile_contract(Path(path)).source_digest


def test_several_processes_may_compile_at_once(source):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        digests = pool.map(_compile_in, [str(source)] * 3)
    assert digests == [compile_contract(source).source_digest] * 3
    assert [path.name for path in entry(source).parent.iterdir()] == [entry(source).name], "no litter"


def test_our_own_contracts_compile_by_name():
    assert compile_contract("atomic_executor").initcode
    assert compile_contract("test_token").abi
