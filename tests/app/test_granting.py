"""A devnet grant against the real desk: what its plans need is allowed, and nothing beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.custody.signer_world import KEYS, MemoryJournal

from tidegate.app.devnet import NodeRecord, devnet_handle
from tidegate.app.devnet.tables import token_tables
from tidegate.app.granting import Holder, Limits, devnet_grant
from tidegate.app.paper import PaperMarket, paper_session
from tidegate.app.runtime import Ground, Job
from tidegate.chain import devnet_network
from tidegate.custody import Issuer, IssuerKind, SignerCore
from tidegate.custody.capability import Capability, Purpose
from tidegate.custody.envelope import sign_capability
from tidegate.custody.requests import LoadCapability, SignTransaction
from tidegate.custody.transactions import encode_unsigned
from tidegate.desks.atomic import parse_strategy, template_text
from tidegate.model import ConfigError, Denied, ManualClock, Plan, Stage, UnsignedTransaction

USD = 10**6
LIMITS = Limits(
    notional_tx_usd_e6=1_000_000 * USD,
    notional_day_usd_e6=10_000_000 * USD,
    at_risk_tx_usd_e6=20_000 * USD,
    at_risk_day_usd_e6=100_000 * USD,
    tx_day=100,
    gas_limit_max=5_000_000,
    max_fee_wei=200 * 10**9,
    deadline_max_s=3_600,
    life_s=3_600,
)
ISSUER = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
OPERATOR = devnet_handle("operator")


def job(name: str) -> Job:
    return Job(parse_strategy(template_text(name).encode(), f"{name}.yaml", token_tables()))


def record_of(ground: Ground) -> NodeRecord:
    return NodeRecord(
        chain=ground.devnet.chain,
        chain_id=ground.devnet.chain_id,
        block_time_s=12,
        port=int(ground.world.url.rpartition(":")[2]),
        pid=ground.world.pid,
        identity="",
        started_at_s=0,
        first_height=0,
    )


def granted(ground: Ground, name: str, now_s: int, **changes: object) -> Capability:
    fields = {"stage": Stage.CANARY, "purpose": Purpose.ACT, "limits": LIMITS, **changes}
    return devnet_grant(
        record_of(ground),
        ground.book,
        [job(name)],
        holder=Holder(OPERATOR.address, is_throw_away=True),
        issuer_key=ISSUER,
        now_ms=now_s * 1000,
        **fields,
    )


def planned(name: str, home: Path, then) -> None:
    """Let the real desk plan ``name`` on a devnet and hand ground and plan to ``then``."""

    async def inside() -> None:
        market, ledger = PaperMarket(), home / "ledger.sqlite"
        async with paper_session([job(name)], stage=Stage.PAPER, market=market, ledger=ledger, home=home) as (
            session,
            ground,
        ):
            look = session.look(ground.assignments[0].strategy.name, session.by_hand())
            assert look.decision.intent is not None, look.decision
            then(ground, await session.desk.plan(look.decision.intent))

    asyncio.run(inside())


def answer(capability: Capability, plan: Plan, now_s: int):
    pinned = Issuer(name="d", kind=IssuerKind.DEVNET, public_key=ISSUER.public_key().public_bytes_raw())
    core = SignerCore(
        keys={**KEYS, "operator": OPERATOR},
        journal=MemoryJournal(),
        clock=ManualClock(now_s * 1000),
        issuers=[pinned],
        networks={plan.chain_id: devnet_network(plan.chain_id)},
    )
    unsigned = UnsignedTransaction(
        chain_id=plan.chain_id,
        nonce=0,
        to=plan.to,
        data=plan.data,
        value_wei=plan.value_wei,
        gas_limit=plan.gas_limit,
        max_fee_wei=plan.max_fee_wei,
        max_priority_fee_wei=plan.max_priority_fee_wei,
    )
    request = SignTransaction(
        key="operator",
        desk=capability.desk,
        stage=capability.stage,
        capability_id=capability.id,
        intent_id=plan.intent_id,
        plan_digest=plan.digest,
        unsigned=encode_unsigned(unsigned),
    )
    return core.handle(
        [LoadCapability(envelope=sign_capability(capability, ISSUER)), request], is_admin=False
    )[1]


@pytest.mark.parametrize("name", ["flash-arb", "leverage-open"])
def test_what_the_desk_plans_is_signed_under_the_grant_of_its_strategy_alone(tmp_path, name):
    other = {"flash-arb": "leverage-open", "leverage-open": "flash-arb"}[name]

    def check(ground: Ground, plan: Plan) -> None:
        now_s = ground.world.block().timestamp
        own = answer(granted(ground, name, now_s), plan, now_s)
        assert own.__struct_config__.tag == "signed", own
        foreign = answer(granted(ground, other, now_s), plan, now_s)
        assert (foreign.check, foreign.reason.value) == ("policies", "policy_refused")

    planned(name, tmp_path, check)


def test_an_exit_grant_closes_what_the_desk_opened_and_opens_nothing(tmp_path):
    """The position is opened on the node, then its close is planned by the real desk."""

    async def inside() -> None:
        jobs = [job("leverage-open"), job("leverage-close")]
        market, ledger = PaperMarket(), tmp_path / "ledger.sqlite"
        async with paper_session(jobs, stage=Stage.PAPER, market=market, ledger=ledger, home=tmp_path) as (
            session,
            ground,
        ):
            opening = session.look("leverage-open", session.by_hand()).decision.intent
            opened = await session.desk.plan(opening)
            await session.act(opening)
            await session.settled(opening.id)
            closing = session.look("leverage-close", session.by_hand()).decision.intent
            closed = await session.desk.plan(closing)
            now_s = ground.world.block().timestamp
            exits = granted(ground, "leverage-close", now_s, purpose=Purpose.EXIT)
            signed = answer(exits, closed, now_s)
            assert signed.__struct_config__.tag == "signed", signed
            for wide in ("leverage-open", "leverage-close"):
                held = granted(ground, wide, now_s, purpose=Purpose.EXIT)
                refused = answer(held, opened, now_s)
                assert (refused.check, refused.reason.value) == ("policies", "policy_refused")

    asyncio.run(inside())


def test_prices_are_ceilings_a_tenth_above_the_feeds_and_limits_are_the_person_s(tmp_path):
    def check(ground: Ground, plan: Plan) -> None:
        capability = granted(ground, "leverage-open", ground.world.block().timestamp)
        by_token = {price.token: price.price_usd_e8 for price in capability.prices}
        usdc = by_token[ground.devnet.token("USDC")]
        assert 108_000_000 < usdc < 112_000_000
        assert capability.at_risk_tx_usd_e6 == LIMITS.at_risk_tx_usd_e6
        assert capability.expires_at - capability.not_before == 3_600
        with pytest.raises(Denied):
            granted(ground, "leverage-open", 1_800_000_000, stage=Stage.SHADOW)

    planned("leverage-open", tmp_path, check)


def test_a_grant_for_a_chain_that_is_not_up_is_refused(tmp_path, monkeypatch):
    from tidegate.app.cli.devnet_grant import grant

    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="no devnet of this project"):
        grant("ethereum", [tmp_path / "x.yaml"], key="operator")
