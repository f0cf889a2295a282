"""How deployments talk to a world, and what they refuse to deploy."""

from __future__ import annotations

import msgspec
import pytest

from tidegate.model import Address, ConfigError, Divergence, Tampered
from tidegate.sim import Artifacts, FastWorld, compile_contract
from tidegate.venues.calls import create, initcode, read
from tidegate.venues.uniswap_v2 import deploy_uniswap_v2
from tidegate.venues.uniswap_v3 import deploy_uniswap_v3
from tidegate.venues.weth import deploy_weth

DEPLOYER = Address("0x" + "00" * 18 + "3001")


@pytest.fixture(scope="module")
def artifacts() -> Artifacts:
    return Artifacts.load()


def test_one_output_is_a_value_and_several_are_a_tuple(artifacts: Artifacts) -> None:
    world = FastWorld()
    weth = deploy_weth(world, artifacts, deployer=DEPLOYER)
    assert read(world, weth, "decimals()(uint8)") == 18


def test_an_answer_of_another_shape_is_a_divergence(artifacts: Artifacts) -> None:
    world = FastWorld()
    weth = deploy_weth(world, artifacts, deployer=DEPLOYER)
    with pytest.raises(Divergence):
        read(world, weth, "decimals()(uint8,uint8)")
    with pytest.raises(Divergence):  # nobody is there
        read(world, DEPLOYER, "decimals()(uint8)")


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "decimals",
        "decimals(",
        "decimals()(uint8)(",
        "decimals()(uint8)x",
        "decimals()x(uint8)",
        "decimals())(",
    ],
)
def test_what_is_no_signature_is_refused(signature: str) -> None:
    with pytest.raises(ConfigError):
        read(FastWorld(), DEPLOYER, signature)


def test_a_constructor_takes_what_it_takes() -> None:
    token = compile_contract("test_token")
    with pytest.raises(ConfigError, match="takes 4 arguments; found: 1"):
        create(FastWorld(), token, "USDC", sender=DEPLOYER)
    with pytest.raises(ConfigError, match="do not fit"):
        create(FastWorld(), token, "USD Coin", "USDC", "six", DEPLOYER, sender=DEPLOYER)


def test_a_library_that_is_missing_is_named(artifacts: Artifacts) -> None:
    with pytest.raises(ConfigError, match="BorrowLogic"):
        initcode(artifacts["FlashLoanLogic"])
    linked = initcode(artifacts["FlashLoanLogic"], libraries={"BorrowLogic": DEPLOYER, "Other": DEPLOYER})
    assert bytes.fromhex(DEPLOYER[2:]) in linked


def with_another(artifacts: Artifacts, name: str) -> Artifacts:
    return Artifacts({**artifacts, name: msgspec.structs.replace(artifacts[name], initcode_keccak=bytes(32))})


def test_a_pair_that_is_not_the_canonical_one_is_not_deployed(artifacts: Artifacts) -> None:
    world, others = FastWorld(), with_another(artifacts, "UniswapV2Pair")
    with pytest.raises(Tampered, match="not the canonical build"):
        deploy_uniswap_v2(world, others, deployer=DEPLOYER, weth=DEPLOYER, admin=DEPLOYER)
    assert world.nonce(DEPLOYER) == 0


def test_a_pool_that_is_not_the_canonical_one_is_not_deployed(artifacts: Artifacts) -> None:
    world, others = FastWorld(), with_another(artifacts, "UniswapV3Pool")
    with pytest.raises(Tampered, match="not the canonical build"):
        deploy_uniswap_v3(world, others, deployer=DEPLOYER, weth=DEPLOYER, v2_factory=DEPLOYER)
    assert world.nonce(DEPLOYER) == 0
