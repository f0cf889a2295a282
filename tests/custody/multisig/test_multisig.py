import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.custody.multisig.conftest import Ground

from tidegate.app.devnet import change_executor, devnet_handle
from tidegate.app.safes import (
    emergency_packs,
    execute,
    followed,
    judged,
    known_targets,
    look_at,
)
from tidegate.chain import address, encode_call, selector
from tidegate.chain.rpc import Keep
from tidegate.custody.multisig import (
    Proposal,
    SafeRules,
    export_batch,
    import_batch,
    judge_proposal,
    judge_safe,
    read_proposal,
    simulate_proposal,
    write_proposal,
)
from tidegate.model import Address, ConfigError, Divergence, Tampered
from tidegate.sim import ExactWorld, WorldReverted
from tidegate.venues.executor import Change, encode_pause, encode_simulate
from tidegate.venues.safe import DELEGATE_CALL, SafeCall, SafeTransaction, encode_batch

OWNERS = ("owner1", "owner3", "owner5")


def read(ground: Ground, work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    async def inside() -> Any:
        async with ground.place.pool() as pool:
            return await work(pool.reads(keep=Keep.NOTHING), *arguments)

    return asyncio.run(inside())


def safe_state(ground: Ground) -> Any:
    return read(ground, look_at, ground.devnet.owner_safe.address)[0]


def pause(ground: Ground, **changes: Any) -> Proposal:
    state = safe_state(ground)
    call = SafeCall(ground.devnet.executor, encode_pause())
    transaction = SafeTransaction.of(state.safe, ground.world.chain_id, state.nonce, call)
    return Proposal(transaction=msgspec.structs.replace(transaction, **changes), reason="test")


def signed(proposal: Proposal, owners: tuple[Address, ...], *who: str) -> Proposal:
    for name in who:
        made = devnet_handle(name).sign_digest(proposal.hash)
        proposal = proposal.signed(made[:64] + bytes([27 + made[64]]), owners)
    return proposal


def wrong(findings: Any) -> set[str]:
    return {finding.check for finding in findings if not finding.ok}


def is_paused(ground: Ground) -> bool:
    answer = ground.world.call(ground.devnet.executor, selector("paused()"))
    return bool(int.from_bytes(answer, "big"))


def test_the_devnets_safe_keeps_every_rule(ground: Ground) -> None:
    state, findings = read(ground, look_at, ground.devnet.owner_safe.address)
    assert not wrong(findings)
    assert (state.version, state.threshold, len(state.owners)) == ("1.4.1", 3, 5)
    assert state.owners == ground.devnet.owner_safe.owners


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"threshold": 2}, "threshold"),
        ({"owners": tuple(address(n) for n in (11, 12, 13, 14))}, "owners"),
        ({"owners": tuple(address(n) for n in (11, 12, 13, 14, 11))}, "owners"),
        ({"version": "1.3.0"}, "version"),
        ({"singleton": address(5)}, "singleton"),
        ({"modules": (address(6),)}, "modules"),
        ({"has_more_modules": True}, "modules"),
        ({"guard": address(7)}, "guard"),
    ],
)
def test_a_safe_that_breaks_a_rule_is_found(ground: Ground, changes: dict[str, Any], check: str) -> None:
    state = msgspec.structs.replace(safe_state(ground), **changes)
    assert wrong(judge_safe(state, SafeRules())) == {check}


def test_three_of_five_owners_pause_the_executor_and_the_proposal_is_followed(ground: Ground) -> None:
    state = safe_state(ground)
    proposal = signed(pause(ground), state.owners, *OWNERS)
    assert proposal.state(3) == "signed(3 of 3)"
    assert not wrong(read(ground, lambda reads: judged(ground.place, reads, proposal)))

    async def run() -> Any:
        async with ground.place.pool() as pool:
            return await execute(pool, proposal, state, devnet_handle("operator"))

    receipt = asyncio.run(run())
    assert receipt.status == 1
    assert is_paused(ground)
    _, after = read(ground, followed, proposal)
    assert (after.state(3), after.executed_in) == ("executed", "0x" + receipt.transaction_hash.hex())
    assert "nonce" in wrong(read(ground, lambda reads: judged(ground.place, reads, proposal)))


def test_too_few_signatures_are_not_sent(ground: Ground) -> None:
    state = safe_state(ground)
    proposal = signed(pause(ground), state.owners, *OWNERS[:2])

    async def run() -> None:
        async with ground.place.pool() as pool:
            await execute(pool, proposal, state, devnet_handle("operator"))

    with pytest.raises(ConfigError, match="too few"):
        asyncio.run(run())
    assert not is_paused(ground)


def test_a_proposal_whose_nonce_something_else_used_is_dead(ground: Ground) -> None:
    stale = pause(ground)
    change_executor(ground.world, ground.devnet, [Change.spender(ground.devnet.uniswap_v2.router)])
    with pytest.raises(Divergence, match="never be executed"):
        read(ground, followed, stale)
    ran = simulate_proposal(ground.world, stale, safe_state(ground))
    assert not ran.succeeded
    assert "nonce" in ran.why


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"chain_id": 1}, "chain"),
        ({"safe": address(9)}, "safe"),
        ({"nonce": 99}, "nonce"),
        ({"operation": DELEGATE_CALL}, "delegate call"),
        ({"to": address(9)}, "targets"),
        ({"data": encode_simulate(b"\x00" * 32)}, "targets"),
    ],
)
def test_a_proposal_that_breaks_a_rule_is_found(ground: Ground, changes: dict[str, Any], check: str) -> None:
    findings = judge_proposal(
        pause(ground, **changes),
        safe_state(ground),
        chain_id=ground.world.chain_id,
        targets=known_targets(ground.place.require_book()),
    )
    assert wrong(findings) == {check}


def test_a_batch_is_opened_and_each_call_judged(ground: Ground) -> None:
    state = safe_state(ground)
    good = SafeCall(ground.devnet.executor, encode_pause())
    add_owner = encode_call("addOwnerWithThreshold(address,uint256)", address(66), 1)
    for calls, expected in (
        ([good, good], set()),
        ([good, SafeCall(state.safe, add_owner)], {"targets"}),
    ):
        call = encode_batch(calls)
        transaction = SafeTransaction.of(state.safe, ground.world.chain_id, state.nonce, call)
        findings = judge_proposal(
            Proposal(transaction=transaction, reason=""),
            state,
            chain_id=ground.world.chain_id,
            targets=known_targets(ground.place.require_book()),
        )
        assert wrong(findings) == expected


def test_a_broken_batch_is_refused_not_passed_over(ground: Ground) -> None:
    batch = encode_batch([SafeCall(ground.devnet.executor, encode_pause())])
    broken = pause(ground, to=batch.to, operation=DELEGATE_CALL, data=b"\x01" + batch.data)
    findings = judge_proposal(
        broken,
        safe_state(ground),
        chain_id=ground.world.chain_id,
        targets=known_targets(ground.place.require_book()),
    )
    assert wrong(findings) == {"delegate call", "targets"}


def test_a_signature_of_a_stranger_or_of_other_content_is_refused(ground: Ground) -> None:
    state, proposal = safe_state(ground), pause(ground)
    with pytest.raises(Tampered):
        signed(proposal, state.owners, "operator")
    other = signed(pause(ground, nonce=77), state.owners, "owner1")
    with pytest.raises(Tampered):
        proposal.signed(next(iter(other.signatures.values())), state.owners)


def test_a_proposals_file_is_computed_anew_when_it_is_read(ground: Ground, tmp_path: Path) -> None:
    path = tmp_path / "proposal.json"
    proposal = signed(pause(ground), safe_state(ground).owners, "owner2")
    write_proposal(proposal, path)
    assert read_proposal(path) == proposal
    whole = json.loads(path.read_text("utf-8"))
    for change in (
        {"nonce": whole["nonce"] + 1},
        {"to": address(3)},
        {"signatures": {address(3): next(iter(whole["signatures"].values()))}},
    ):
        path.write_text(json.dumps({**whole, **change}), encoding="utf-8")
        with pytest.raises(Tampered):
            read_proposal(path)
    for change in ({"format": "x"}, {"nonce": -1}, {"nonce": True}, {"data": "0xzz"}, {"signatures": 3}):
        path.write_text(json.dumps({**whole, **change}), encoding="utf-8")
        with pytest.raises(ConfigError):
            read_proposal(path)
    for content in (b"x" * (2**20 + 1), b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(ConfigError):
            read_proposal(path)
        with pytest.raises(ConfigError):
            import_batch(path, chain_id=1, safe=address(1))


def test_builder_files_travel_both_ways_and_only_to_their_own_safe(tmp_path: Path) -> None:
    path, safe = tmp_path / "batch.json", address(8)
    calls = (SafeCall(address(1), b"abc", 5), SafeCall(address(2), b""))
    path.write_bytes(export_batch(calls, chain_id=5, safe=safe, name="x", created_at_ms=1))
    assert import_batch(path, chain_id=5, safe=safe) == calls
    for chain_id, other in ((6, safe), (5, address(9))):
        with pytest.raises(ConfigError, match="another Safe"):
            import_batch(path, chain_id=chain_id, safe=other)
    value = json.loads(path.read_text("utf-8"))
    value["transactions"][0]["data"] = None
    path.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(ConfigError, match="Transaction Builder"):
        import_batch(path, chain_id=5, safe=safe)


def test_every_emergency_pack_is_built_from_the_policy_in_force_and_succeeds_on_a_fork(
    ground: Ground,
) -> None:
    devnet = ground.devnet
    change_executor(ground.world, devnet, [Change.approval(devnet.token("USDC"))])
    packs = read(ground, lambda reads: emergency_packs(ground.place, reads, devnet.owner_safe.address))
    assert set(packs) == {f"main1-{name}" for name in ("pause", "revoke-operator", "revoke-pairs", "sweep")}
    fork_url = ground.world.url
    for name, proposal in packs.items():
        assert not wrong(read(ground, lambda reads, one=proposal: judged(ground.place, reads, one))), name
        with ExactWorld(chain_id=ground.world.chain_id, fork_url=fork_url) as fork:
            ran = simulate_proposal(fork, proposal, safe_state(ground))
            assert ran.succeeded, (name, ran.why)
            if name.endswith("revoke-operator"):
                with pytest.raises(WorldReverted, match="role"):
                    fork.transact(
                        devnet.executor, encode_simulate(b"\x00" * 64), sender=devnet.accounts["operator"]
                    )
