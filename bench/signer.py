"""``tidegate bench signer``: signatures a second of the signer's process beside bare eth-account.

Ours is the real thing: ``tidegate signer run`` in a process of its own, asked over its socket by 16
connections with one request in flight each, every check on, every answer on disk in the hash-chained
journal before its signature leaves. The peer signs the same transactions with ``eth_account`` in this
process: no checks, no journal, no other process. Rounds alternate and the middle one counts, because
neither a disk nor a machine with other work is steady.

``framed_signs_s`` is the same with frames of 64 requests, which share one durable commit.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from eth_account import Account

from tidegate.app.signer import Prepared, devnet_issuer, prepare_devnet_signer
from tidegate.chain import encode_call, keccak256
from tidegate.custody import SignerClient, SignerConnection, sign_capability
from tidegate.custody.capability import Capability, Price, Purpose, Target, make_capability
from tidegate.model import ZERO_ADDRESS, Address, Stage, UnsignedTransaction, sha256_hex

_CHAIN_ID = 31337
_TOKEN = Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
_CONNECTIONS = 16
_SIGNS = 1_600
_ROUNDS = 5


def run(signs: int = _SIGNS, rounds: int = _ROUNDS) -> dict[str, Any]:
    """Return signatures a second, ours and the peer's, and how long one took."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-", dir=Path.cwd()) as folder:
        home = Path(folder)
        made = prepare_devnet_signer(home, chain_id=_CHAIN_ID, key_name="operator")
        raised = made.config.read_text().replace("rate_per_s = 200", "rate_per_s = 10000")
        made.config.write_text(raised)
        with _running(made):
            ours, framed, theirs, took = asyncio.run(_measure(home, made, signs, rounds))
    return {
        "name": "signer",
        "peer": "bare eth-account: no checks, no journal, no process boundary",
        "ratio": round(statistics.median(mine / peer for mine, peer in zip(ours, theirs, strict=True)), 3),
        "signs_s": round(statistics.median(ours)),
        "framed_signs_s": round(statistics.median(framed)),
        "peer_signs_s": round(statistics.median(theirs)),
        "p50_ms": round(statistics.median(took) * 1000, 2),
        "p99_ms": round(statistics.quantiles(took, n=100)[98] * 1000, 2),
        "connections": _CONNECTIONS,
        "signs": signs,
        "rounds": rounds,
    }


@contextmanager
def _running(made: Prepared) -> Iterator[None]:
    with made.password.open("rb") as password:
        command = [sys.executable, "-m", "tidegate", "signer", "run", "--json", "--config", str(made.config)]
        made.config.write_text(made.config.read_text().replace("fd:3", f"fd:{password.fileno()}"))
        process = subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=(password.fileno(),))
    assert process.stdout is not None
    with process.stdout as started:
        try:
            if not started.readline():
                raise RuntimeError(f"the signer did not start: exit {process.wait()}")
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


async def _measure(
    home: Path, made: Prepared, signs: int, rounds: int
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return rates of ours, framed and the peer by round, and the seconds that each of ours took."""
    nonces = iter(range(10**9))
    bare = Account.create()
    ours: list[float] = []
    framed: list[float] = []
    theirs: list[float] = []
    took: list[float] = []
    async with AsyncExitStack() as resources:
        connections = [
            await resources.enter_async_context(SignerConnection(made.config.parent / "signer.sock"))
            for _ in range(_CONNECTIONS)
        ]
        capability = _capability(home, made)
        await connections[0].load_capability(sign_capability(capability, devnet_issuer(home)))
        signers = [
            await SignerClient.bind(
                one, key="operator", desk="atomic", stage=Stage.CANARY, capability_id=capability.id
            )
            for one in connections
        ]
        await _ask(signers, [_transfer(next(nonces)) for _ in range(signs // 4)], 1)  # warm
        for _ in range(rounds):
            rate, durations = await _ask(signers, [_transfer(next(nonces)) for _ in range(signs)], 1)
            ours.append(rate)
            took += durations
            framed.append((await _ask(signers, [_transfer(next(nonces)) for _ in range(signs)], 64))[0])
            theirs.append(_bare(bare, [_transfer(next(nonces)) for _ in range(signs // 4)]))
    return ours, framed, theirs, took


async def _ask(
    signers: list[SignerClient], wanted: list[UnsignedTransaction], in_flight: int
) -> tuple[float, list[float]]:
    """Return signatures a second, and the seconds that each took; ``in_flight`` a connection."""
    queue = iter(wanted)
    took: list[float] = []

    async def worker(signer: SignerClient) -> None:
        for transaction in queue:
            began = time.perf_counter()
            await signer.sign_transaction(
                transaction, intent_id=f"bench-{transaction.nonce}", plan_digest=transaction.content_digest
            )
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(worker(signer) for signer in signers for _ in range(in_flight)))
    return len(wanted) / (time.perf_counter() - began), took


def _bare(account: Any, wanted: list[UnsignedTransaction]) -> float:
    fields = [
        {
            "type": 2,
            "chainId": one.chain_id,
            "nonce": one.nonce,
            "to": one.to,
            "data": one.data,
            "value": one.value_wei,
            "gas": one.gas_limit,
            "maxFeePerGas": one.max_fee_wei,
            "maxPriorityFeePerGas": one.max_priority_fee_wei,
        }
        for one in wanted
    ]
    began = time.perf_counter()
    for one in fields:
        account.sign_transaction(one)
    return len(fields) / (time.perf_counter() - began)


def _transfer(nonce: int) -> UnsignedTransaction:
    return UnsignedTransaction(
        chain_id=_CHAIN_ID,
        nonce=nonce,
        to=_TOKEN,
        data=encode_call("transfer(address,uint256)", ZERO_ADDRESS, 10**15 + nonce),
        value_wei=0,
        gas_limit=60_000,
        max_fee_wei=10**10,
        max_priority_fee_wei=10**9,
    )


def _capability(home: Path, made: Prepared) -> Capability:
    now = int(time.time())
    dollars = 10**6
    selector = "0x" + keccak256(b"transfer(address,uint256)")[:4].hex()
    return make_capability(
        purpose=Purpose.ACT,
        desk="atomic",
        stage=Stage.CANARY,
        chain_id=_CHAIN_ID,
        key_address=made.address,
        targets=(Target(address=_TOKEN, code_hash="0x" + "00" * 32, selectors=(selector,)),),
        typed_domains=(),
        policies=(),
        prices=tuple(
            Price(token=one, price_usd_e8=3_000 * 10**8, decimals=18) for one in (ZERO_ADDRESS, _TOKEN)
        ),
        notional_tx_usd_e6=10 * dollars,
        notional_day_usd_e6=10**8 * dollars,
        at_risk_tx_usd_e6=10 * dollars,
        at_risk_day_usd_e6=10**8 * dollars,
        tx_day=1_000_000,
        gas_limit_max=100_000,
        max_fee_wei=10**11,
        unvalued=(),
        not_before=now - 10,
        expires_at=now + 3_600,
        evidence_digest="",
        policy_digest="",
        grant_digest="",
        checkpoint=None,
        issued_by=sha256_hex(devnet_issuer(home).public_key().public_bytes_raw()),
        serial=1,
    )
