"""Put Safe 1.4.1 into a world, at the addresses it has on live chains, and make Safes."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.chain import address, encode_call, keccak256
from tidegate.model import ZERO_ADDRESS, Address
from tidegate.sim import Artifact, Artifacts, World
from tidegate.venues.calls import read, send

SAFE_SINGLETON_FACTORY = address("0x914d7Fec6aaC8cd542e72Bca78B30650d45643d7")
"""The factory (CREATE2, salt in the first word) through which Safe has the same addresses on all chains."""

_SINGLETON_FACTORY_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
)
_SALT = bytes(32)
_SETUP = "setup(address[],uint256,address,bytes,address,address,uint256,address)"


@dataclass(frozen=True, slots=True)
class SafeContracts:
    """What Safes are made from. Addresses are the canonical ones of 1.4.1."""

    singleton: Address
    proxy_factory: Address
    fallback_handler: Address
    multi_send_call_only: Address


@dataclass(frozen=True, slots=True)
class Safe:
    """An account of ``owners``, of whom ``threshold`` must agree."""

    address: Address
    owners: tuple[Address, ...]
    threshold: int


def deploy_safe_contracts(world: World, artifacts: Artifacts, *, deployer: Address) -> SafeContracts:
    """Deploy the singleton, proxy factory, fallback handler and MultiSendCallOnly through CREATE2."""
    if not world.code(SAFE_SINGLETON_FACTORY):
        world.set_code(SAFE_SINGLETON_FACTORY, _SINGLETON_FACTORY_CODE)
    return SafeContracts(
        *(
            _create2(world, artifacts[name], deployer)
            for name in ("Safe", "SafeProxyFactory", "CompatibilityFallbackHandler", "MultiSendCallOnly")
        )
    )


def create_safe(
    world: World,
    contracts: SafeContracts,
    owners: tuple[Address, ...],
    threshold: int,
    *,
    sender: Address,
    salt_nonce: int = 0,
) -> Safe:
    """Create a Safe of ``owners``; its address follows from them, the threshold and ``salt_nonce``.

    Raises
    ------
    WorldReverted
        If the threshold is zero or above the number of owners (GS201, GS202), or an owner is zero,
        named twice or a contract of the set-up itself (GS203, GS204).
    """
    setup = encode_call(
        _SETUP,
        *(owners, threshold, ZERO_ADDRESS, b"", contracts.fallback_handler, ZERO_ADDRESS, 0),
        ZERO_ADDRESS,
    )
    arguments = (contracts.singleton, setup, salt_nonce)
    create = "createProxyWithNonce(address,bytes,uint256)"
    where = read(world, contracts.proxy_factory, f"{create}(address)", *arguments)
    send(world, contracts.proxy_factory, create, *arguments, sender=sender)
    return Safe(where, owners, threshold)


def _create2(world: World, code: Artifact, deployer: Address) -> Address:
    initcode = code.link()
    where = address(
        keccak256(b"\xff" + bytes.fromhex(SAFE_SINGLETON_FACTORY[2:]) + _SALT + keccak256(initcode))[12:]
    )
    if not world.code(where):
        world.transact(SAFE_SINGLETON_FACTORY, _SALT + initcode, sender=deployer)
    return where
