"""One executor onto one chain: signed once, written down, sent, followed, looked at.

The order is: take a nonce, sign, put the bytes on disk, send. A process that is killed anywhere is
followed by one that finds the file and goes on with the same nonce; until there is a file nothing was
sent. A version that can no longer be included is followed by one with higher fees under the same nonce.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
import rlp

from tidegate.app.deploying.checks import Order
from tidegate.app.deploying.files import Deployment, DeploymentFiles, Version
from tidegate.chain import ChainReads, SimulatedCall, address, hex_data, keccak256, octets
from tidegate.chain.rpc import Keep, RpcPool
from tidegate.model import (
    Address,
    Ambiguous,
    ConfigError,
    Divergence,
    Receipt,
    Rejected,
    Tampered,
    TransactionSigner,
    Unavailable,
    UnsignedTransaction,
    digest,
    mul_div_up,
)
from tidegate.venues.executor import demand_recorded, executor_build

_BPS = 10_000
_RAISE_BPS = 12_500
"""A replacement offers an eighth more at least, as nodes ask, and a quarter to be sure."""
_LOOK_AGAIN_S = 0.2


def predicted(deployer: Address, nonce: int) -> Address:
    """Return where a contract lands that ``deployer`` creates under ``nonce`` (yellow paper, equation 88)."""
    return address(keccak256(rlp.encode([octets(deployer), nonce]))[12:])


def creation_terms(order: Order, gas_limit: int) -> dict[str, Any]:
    """Return what a capability of the desk ``deploy`` must allow for one order, for whoever issues it."""
    code_hash = hex_data(keccak256(order.construction.initcode))
    return {
        "targets": [{"address": None, "code_hash": code_hash, "selectors": []}],
        "unvalued": [{"target": None, "function": "0x", "per_day": len(order.names)}],
        "gas_limit_max": gas_limit,
        "key_address": order.deployer,
    }


async def estimated(pool: RpcPool, order: Order) -> int:
    """Return the gas limit of one creation, with the network's margin.

    Raises
    ------
    CallReverted
        If the constructor refuses.
    ConfigError
        If no transaction may use as much gas on this network.
    """
    reads = _reads(pool)
    call = SimulatedCall(sender=order.deployer, to=None, data=order.construction.initcode)
    gas = await reads.estimate_gas(call, await reads.block())
    limit = mul_div_up(gas, pool.network.gas_margin_bps, _BPS)
    cap = pool.network.transaction_gas_max
    if cap is not None and limit > cap:
        raise ConfigError(
            "the creation needs more gas than a transaction may use here",
            code="gas_cap",
            found=f"{limit}",
            allowed=f"{cap}",
        )
    return limit


async def deploy(
    pool: RpcPool,
    order: Order,
    name: str,
    files: DeploymentFiles,
    signer: TransactionSigner,
    *,
    wait_s: float = 180.0,
) -> Deployment:
    """Bring one executor of ``order`` onto the chain, or go on where an earlier run was cut off.

    Returns
    -------
    Deployment
        Confirmed, its code compared byte for byte with the build's.

    Raises
    ------
    ConfigError
        If an earlier run began the same name with other arguments.
    Ambiguous
        If no block holds it after ``wait_s``; asking again is safe.
    Divergence
        If the nonce was used by something else.
    Rejected
        If the chain reverted it; the next run begins anew.
    Tampered
        If the build is not the recorded one, or other code stands there.
    """
    demand_recorded(executor_build())
    deployment = files.read(order.chain, name)
    if deployment is None:
        deployment = await _signed(pool, order, name, signer)
        files.write(deployment)  # from here on something may be on its way
    _demand_same(order, deployment)
    if not deployment.is_confirmed:
        deployment = await _followed(pool, deployment, files, signer, wait_s)
    await _demand_code(pool, deployment)
    if not deployment.is_confirmed:
        deployment = msgspec.structs.replace(deployment, is_confirmed=True)
        files.write(deployment)
    return deployment


async def _signed(pool: RpcPool, order: Order, name: str, signer: TransactionSigner) -> Deployment:
    limit = await estimated(pool, order)
    nonce = await _reads(pool).nonce(order.deployer, "pending")
    blank = Deployment(
        chain=order.chain,
        chain_id=pool.network.chain_id,
        desk=order.desk,
        name=name,
        deployer=order.deployer,
        nonce=nonce,
        address=predicted(order.deployer, nonce),
        construction=order.construction,
        gas_limit=limit,
        versions=(),
    )
    return await _with_version(pool, blank, signer)


async def _with_version(pool: RpcPool, deployment: Deployment, signer: TransactionSigner) -> Deployment:
    """Sign the creation under its nonce: with today's fees, a quarter above the version before."""
    fee, tip = await _fees(pool)
    if deployment.versions:
        last = deployment.versions[-1]
        fee = max(fee, mul_div_up(last.max_fee_wei, _RAISE_BPS, _BPS))
        tip = max(tip, mul_div_up(last.max_priority_fee_wei, _RAISE_BPS, _BPS))
    cap = pool.network.fee_cap_wei
    if fee > cap:
        raise Unavailable(
            "gas costs more than may ever be paid here",
            code="fee_cap",
            found=f"{fee} wei",
            allowed=f"{cap} wei",
            fix="wait, and repeat the command: it goes on where it was",
        )
    unsigned = UnsignedTransaction(
        chain_id=deployment.chain_id,
        nonce=deployment.nonce,
        to=None,
        data=deployment.construction.initcode,
        value_wei=0,
        gas_limit=deployment.gas_limit,
        max_fee_wei=fee,
        max_priority_fee_wei=tip,
    )
    identity = digest({"deployment": deployment.name, "chain_id": deployment.chain_id})
    signed = await signer.sign_transaction(unsigned, intent_id=identity, plan_digest=unsigned.content_digest)
    version = Version(hex_data(signed.hash), hex_data(signed.raw), fee, tip)
    return msgspec.structs.replace(deployment, versions=(*deployment.versions, version))


async def _fees(pool: RpcPool) -> tuple[int, int]:
    network = pool.network
    history = await _reads(pool).fee_history()
    offered = history.rewards_wei[-1][0] if history.rewards_wei else 0
    tip = min(max(offered, network.priority_floor_wei), network.priority_cap_wei)
    base = history.next_base_fee_wei
    if base + tip > network.fee_cap_wei:
        return base + tip, tip
    return min(2 * base + tip, network.fee_cap_wei), tip


def _demand_same(order: Order, deployment: Deployment) -> None:
    if deployment.construction != order.construction or deployment.deployer != order.deployer:
        raise ConfigError(
            f"{deployment.name} on {deployment.chain} was begun with other arguments",
            code="deployment",
            found=f"deployer {order.deployer}, {msgspec.to_builtins(order.construction)}",
            allowed=f"deployer {deployment.deployer}, {msgspec.to_builtins(deployment.construction)}",
            fix="repeat the command as it was, or deploy a pair of another --number",
        )


async def _followed(
    pool: RpcPool,
    deployment: Deployment,
    files: DeploymentFiles,
    signer: TransactionSigner,
    wait_s: float,
) -> Deployment:
    """Send and look until a block holds a version as deep as the network's confirmations."""
    if await _receipt(pool, deployment) is None and await _is_too_cheap(pool, deployment):
        deployment = await _with_version(pool, deployment, signer)
        files.write(deployment)
    try:
        async with asyncio.timeout(wait_s):
            while True:
                receipt = await _receipt(pool, deployment)
                if receipt is None:
                    await _send_again(pool, deployment)
                elif receipt.status == 0:
                    files.path(deployment.chain, deployment.name).rename(
                        files.path(deployment.chain, f"{deployment.name}.reverted-{deployment.nonce}")
                    )
                    raise Rejected(
                        f"the creation of {deployment.name} reverted",
                        code="reverted",
                        found=hex_data(receipt.transaction_hash),
                        fix="its nonce is used and nothing was created; a dry run says what refuses",
                    )
                else:
                    deployment = _mined(deployment, receipt)
                    files.write(deployment)
                    if await _depth(pool, receipt) >= pool.network.confirmations:
                        return deployment
                await asyncio.sleep(_LOOK_AGAIN_S)
    except TimeoutError as error:
        raise Ambiguous(
            f"{deployment.name} is not confirmed yet",
            found=f"{deployment.versions[-1].hash} after {wait_s:g} s",
            fix="repeat the command: it goes on where it was, and never deploys twice",
        ) from error


async def _is_too_cheap(pool: RpcPool, deployment: Deployment) -> bool:
    fees = await _reads(pool).fee_history()
    return deployment.versions[-1].max_fee_wei < fees.next_base_fee_wei


async def _receipt(pool: RpcPool, deployment: Deployment) -> Receipt | None:
    reads = _reads(pool)
    for version in reversed(deployment.versions):
        with suppress(Unavailable):
            receipt = await reads.receipt(octets(version.hash))
            if receipt is not None:
                return receipt
    return None


async def _send_again(pool: RpcPool, deployment: Deployment) -> None:
    """Send the newest version, unless its nonce is used up by something that is none of ours."""
    with suppress(Ambiguous, Unavailable):  # the receipt decides
        try:
            await pool.send_raw(octets(deployment.versions[-1].raw))
        except Rejected as error:
            if error.code != "nonce_too_low" or await _receipt(pool, deployment) is not None:
                raise
            raise Divergence(
                f"the nonce of {deployment.name} was used by another transaction",
                code="nonce_used",
                found=f"nonce {deployment.nonce} of {deployment.deployer}",
                allowed=", ".join(version.hash for version in deployment.versions),
                fix="nothing was created by this deployment; the deployer's key is for nothing else. "
                "Find out who used it, then move the deployment's file away",
            ) from error


def _mined(deployment: Deployment, receipt: Receipt) -> Deployment:
    return msgspec.structs.replace(
        deployment,
        mined_in=hex_data(receipt.transaction_hash),
        block=receipt.block_number,
        gas_used=receipt.gas_used,
    )


async def _depth(pool: RpcPool, receipt: Receipt) -> int:
    head = await _reads(pool).block()
    return head.number - receipt.block_number + 1


async def _demand_code(pool: RpcPool, deployment: Deployment) -> None:
    found = await _reads(pool).code(deployment.address)
    expected = deployment.construction.runtime
    if found != expected:
        raise Tampered(
            f"the code of {deployment.name} is not the build's",
            code="code_hash",
            found=f"{hex_data(keccak256(found))}, {len(found)} bytes at {deployment.address}",
            allowed=f"{hex_data(keccak256(expected))}, {len(expected)} bytes",
            fix="do not use it; compare the endpoints, and the build with its record",
        )


def _reads(pool: RpcPool) -> ChainReads:
    return pool.reads(pool.policy_for_value, keep=Keep.NOTHING)
