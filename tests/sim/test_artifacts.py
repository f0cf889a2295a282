import json
import shutil

import pytest
from tests.sim.assembly import ALICE

from tidegate.chain import address, keccak256
from tidegate.model import ConfigError, Unavailable
from tidegate.sim import Artifacts, ExactWorld, FastWorld, anvil_binary, artifacts, cache_dir
from tidegate.sim.catalogue import CATALOGUE
from tidegate.sim.packages import lock_file, node_modules, package_folder

# The init code hashes that the routers' own bytecode carries (specs/worlds.md 1).
PAIR = "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"
POOL = "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache without artifacts; what was compiled stays, for a compiler takes ten seconds."""
    Artifacts.load()
    own, builds = tmp_path / "cache", cache_dir() / "builds"
    own.mkdir()
    (own / "builds").symlink_to(builds)
    monkeypatch.setenv("TIDEGATE_CACHE", str(own))
    return own


@pytest.fixture
def little_house(tmp_path, monkeypatch):
    """Packages for one small contract, so that they can be damaged."""
    modules = tmp_path / "node_modules"
    (modules / "canonical-weth").mkdir(parents=True)
    real = node_modules() / "canonical-weth"
    shutil.copy(real / "package.json", modules / "canonical-weth")
    shutil.copytree(real / "build", modules / "canonical-weth" / "build")
    shutil.copy(lock_file(), tmp_path / "package-lock.json")
    monkeypatch.setattr(artifacts, "CATALOGUE", {"WETH9": CATALOGUE["WETH9"]})
    monkeypatch.setenv("TIDEGATE_NODE_MODULES", str(modules))
    return modules


def test_every_contract_of_the_catalogue_is_there_and_canonical():
    loaded = Artifacts.load()
    assert set(loaded) == set(CATALOGUE)
    assert loaded["UniswapV2Pair"].initcode_keccak.hex() == PAIR
    assert loaded["UniswapV3Pool"].initcode_keccak.hex() == POOL
    assert bytes.fromhex(PAIR) in loaded["UniswapV2Router02"].initcode_template
    assert bytes.fromhex(POOL) in loaded["SwapRouter"].initcode_template
    for artifact in loaded.values():
        assert keccak256(artifact.initcode_template) == artifact.initcode_keccak
        assert artifact.abi


def test_the_second_load_reads_one_file_and_no_package(own_cache, monkeypatch):
    first = Artifacts.load()
    monkeypatch.setattr(artifacts, "_extract", None)
    assert dict(Artifacts.load()) == dict(first)
    assert len(list((own_cache / "artifacts").iterdir())) == 1


@pytest.mark.parametrize("damage", [b"", b"nonsense"])
def test_a_damaged_file_is_made_again(own_cache, damage):
    first = Artifacts.load()
    (path,) = (own_cache / "artifacts").iterdir()
    path.write_bytes(damage or path.read_bytes()[:-1])
    assert dict(Artifacts.load()) == dict(first)
    assert Artifacts.load()["WETH9"].initcode_keccak == keccak256(first["WETH9"].initcode_template)


def test_libraries_are_linked_where_they_belong():
    loaded = Artifacts.load()
    libraries = {name: address(index + 1) for index, name in enumerate(loaded["Pool"].link_references)}
    linked = loaded["Pool"].link(libraries)
    for name, offsets in loaded["Pool"].link_references.items():
        for offset in offsets:
            assert linked[offset : offset + 20] == bytes.fromhex(libraries[name][2:])
            assert loaded["Pool"].initcode_template[offset : offset + 20] == bytes(20)
    assert loaded["WETH9"].link() == loaded["WETH9"].initcode_template


@pytest.mark.parametrize("libraries", [{}, {"BorrowLogic": address(1)}, {"Wrong": address(1)}])
def test_wrong_libraries_are_refused(libraries):
    with pytest.raises(ConfigError, match="linked with other libraries") as caught:
        Artifacts.load()["Pool"].link(libraries)
    assert "SupplyLogic" in caught.value.allowed


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match="no such contract") as caught:
        Artifacts.load()["UniswapV9"]
    assert "UniswapV3Pool" in caught.value.allowed
    assert "UniswapV9" not in Artifacts.load()


@pytest.mark.parametrize("name", ["WETH9", "UniswapV3Factory", "Safe", "BorrowLogic"])
def test_a_contract_gets_the_same_code_in_both_worlds(name, exact):
    fast = FastWorld()
    fast.set_balance(ALICE, 1)
    initcode = Artifacts.load()[name].link()
    at = fast.deploy(initcode, sender=ALICE)
    assert exact.deploy(initcode, sender=ALICE) == at
    assert fast.code(at) == exact.code(at)


def test_missing_packages_are_named_with_what_still_works(own_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEGATE_NODE_MODULES", str(tmp_path / "nowhere"))
    with pytest.raises(Unavailable, match="is not installed") as caught:
        Artifacts.load()
    assert "fast world work" in caught.value.allowed
    assert "npm ci" in caught.value.fix
    with pytest.raises(Unavailable, match="not installed"):
        anvil_binary()
    with pytest.raises(Unavailable):
        ExactWorld()
    assert FastWorld().block().number == 0


def test_extracted_artifacts_outlive_the_packages(own_cache, tmp_path, monkeypatch):
    first = Artifacts.load()
    monkeypatch.setenv("TIDEGATE_NODE_MODULES", str(tmp_path / "nowhere"))
    assert dict(Artifacts.load()) == dict(first)


def test_another_version_than_the_pinned_one_is_refused(own_cache, little_house):
    assert Artifacts.load()["WETH9"].version == "1.4.0"
    shutil.rmtree(own_cache)
    package = little_house / "canonical-weth" / "package.json"
    package.write_text(package.read_text().replace('"1.4.0"', '"1.3.1"'))
    with pytest.raises(ConfigError, match="not the pinned one") as caught:
        Artifacts.load()
    assert caught.value.found == "1.3.1"
    assert caught.value.allowed.startswith("1.4.0")


def test_a_changed_lock_makes_a_new_file(own_cache, little_house):
    Artifacts.load()
    lock = little_house.parent / "package-lock.json"
    lock.write_text(json.dumps(json.loads(lock.read_text())))
    Artifacts.load()
    assert len(list((own_cache / "artifacts").iterdir())) == 2


def test_a_damaged_package_is_named(own_cache, little_house):
    (little_house / "canonical-weth" / "build" / "contracts" / "WETH9.json").write_text("{")
    with pytest.raises(Unavailable, match="damaged") as caught:
        Artifacts.load()
    assert "WETH9.json" in caught.value.found


def test_a_node_program_that_is_none_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TIDEGATE_ANVIL", str(tmp_path / "anvil"))
    with pytest.raises(Unavailable, match="anvil"):
        ExactWorld()
    (tmp_path / "anvil").write_text("#!/bin/sh\necho no luck today\nexit 3\n")
    (tmp_path / "anvil").chmod(0o755)
    with pytest.raises(Unavailable, match="did not start") as caught:
        ExactWorld()
    assert "no luck today" in caught.value.found
    assert "ended with code 3" in caught.value.found


def test_the_node_program_is_that_of_the_pinned_package():
    assert str(anvil_binary()).startswith(str(node_modules()))
    assert package_folder("canonical-weth").name == "canonical-weth"
