"""Random requests against the signer: no signature outside a capability, as an oracle of its own judges."""

import random

import pytest
from tests.custody.oracle import Oracle
from tests.custody.signer_world import (
    APPROVE,
    CHAIN,
    DAY_S,
    DEVNET_ISSUER,
    ETHER,
    FRIEND,
    GWEI,
    HOT,
    PLAIN,
    POOL,
    REPAY,
    STRANGER,
    TOY,
    TRANSFER,
    TRANSFER_FROM,
    USD,
    USDC,
    SignerWorld,
    capability,
    is_signed,
    key_id,
    transaction,
    transfer,
)

from tidegate.chain import encode_call, selector
from tidegate.custody import core
from tidegate.custody.capability import Purpose
from tidegate.custody.envelope import sign_capability
from tidegate.custody.requests import Freeze, LoadCapability, Revoke, Unfreeze
from tidegate.model import Stage

MULTICALL = selector("multicall(bytes[])")


class Attacker:
    """A worker that asks for whatever it likes, often for what is nearly allowed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = SignerWorld()
        self.oracle = Oracle(USDC.lower(), (POOL.lower(), REPAY))
        self.serials: dict[tuple, int] = {}
        self.ids: list[str] = ["0" * 64]
        self.signed = 0
        self.base = 0
        for _ in range(4):
            self.load()

    def load(self) -> None:
        """Offer a capability: good, or with one flaw; the signer must take the good ones alone."""
        dice, now_s = self.dice, self.world.clock.now_ms() // 1000
        purpose = dice.choice([Purpose.ACT] * 4 + [Purpose.EXIT])
        line = dice.choice(["atomic", "momentum"]), purpose
        limit = dice.choice([200, 1_000, 5_000, 20_000]) * USD
        fields = {
            **PLAIN,
            "purpose": purpose,
            "desk": line[0],
            "stage": dice.choice([Stage.CANARY, Stage.PRODUCTION]),
            "notional_tx_usd_e6": limit,
            "notional_day_usd_e6": 3 * limit,
            "at_risk_tx_usd_e6": dice.choice([limit, 2 * limit]),
            "at_risk_day_usd_e6": dice.choice([3, 6]) * limit,
            "tx_day": dice.choice([0, 5, 40, 40, 400, 400]),
            "serial": self.serials.get(line, 0) + 1,
            "not_before": now_s - dice.choice([0, 100]),
            "expires_at": now_s + dice.choice([600, 80_000, 86_000]),
            "issued_by": key_id(DEVNET_ISSUER),
        }
        if dice.random() < 0.2:
            fields["targets"] = fields["targets"][:1]
        flaw = dice.choice([None] * 6 + ["stranger", "tampered", "expired", "serial", "key", "mainnet"])
        raw = self.envelope(fields, flaw, now_s)
        answer = self.world.ask(LoadCapability(envelope=raw))
        assert (answer.__struct_config__.tag == "loaded") == (flaw is None), (flaw, answer)
        if flaw is None:
            self.serials[line] = fields["serial"]
            self.oracle.load(answer.capability_id, {**fields, "purpose": purpose.value})
            self.ids.append(answer.capability_id)

    def envelope(self, fields: dict, flaw: str | None, now_s: int) -> bytes:
        match flaw:
            case "stranger":
                fields = {**fields, "issued_by": key_id(STRANGER)}
                return sign_capability(capability(**fields), STRANGER)
            case "expired":
                fields = {**fields, "not_before": now_s - 100, "expires_at": now_s}
            case "serial":
                fields = {**fields, "serial": max(1, fields["serial"] - 1), "tx_day": 999}
                if fields["serial"] == self.serials.get((fields["desk"], fields["purpose"]), 0) + 1:
                    fields = {**fields, "key_address": FRIEND}
            case "key":
                fields = {**fields, "key_address": FRIEND}
            case "mainnet":
                fields = {**fields, "chain_id": 1, "typed_domains": ()}
        raw = bytearray(sign_capability(capability(**fields), DEVNET_ISSUER))
        if flaw == "tampered":
            place = raw.index(b'"payload":"') + 11 + self.dice.randrange(400)
            raw[place] = ord("A") if raw[place] != ord("A") else ord("B")
        return bytes(raw)

    def unsigned(self):
        dice = self.dice
        amount = dice.choice(
            [1, USD, 7 * USD, 50 * USD, 200 * USD, 999 * USD, 4_990 * USD, 10**12, 2**256 - 1]
        )
        repaying = bytes.fromhex(REPAY[2:]) + dice.randbytes(32)
        data, to = dice.choice(
            [
                *[(transfer(amount), USDC)] * 8,
                *[(repaying, POOL)] * 3,
                (transfer(amount, dice.choice([POOL, FRIEND])), USDC),
                (encode_call("approve(address,uint256)", FRIEND, amount), USDC),
                (encode_call("transferFrom(address,address,uint256)", FRIEND, POOL, amount), USDC),
                (transfer(amount) + dice.randbytes(1), USDC),
                (transfer(amount)[:4] + dice.randbytes(64), USDC),
                (repaying, USDC),
                (b"", POOL),
                (b"", HOT.address),
                (b"", HOT.address),
                (b"", FRIEND),
                (MULTICALL + transfer(amount), POOL),
                (dice.randbytes(dice.randrange(8)), dice.choice([POOL, USDC, FRIEND, None])),
                (bytes.fromhex(dice.choice([TRANSFER, APPROVE, TRANSFER_FROM, REPAY])[2:]), USDC),
            ]
        )
        return transaction(
            chain_id=CHAIN if dice.random() < 0.97 else dice.choice([1, 0, 31_338]),
            nonce=self.base + dice.randrange(6),
            to=to,
            data=data,
            value_wei=dice.choice([0] * 20 + [1, ETHER // 100, ETHER, 2**200]),
            gas_limit=dice.choice([21_000] * 5 + [100_000, 500_000, 500_001]),
            max_fee_wei=dice.choice([2, 5, 10, 20, 99, 100, 101]) * GWEI,
            max_priority_fee_wei=dice.choice([0, 1, 1, 2, 3, 30]) * GWEI,
        )

    def ask(self):
        dice, unsigned = self.dice, self.unsigned()
        wanted = dice.choice(self.alive() * 4 + self.ids[-3:])
        known = self.oracle.loaded.get(wanted, PLAIN)
        changes = {"desk": known["desk"], "stage": known["stage"]}
        if dice.random() < 0.1:
            changes |= dice.choice(
                [
                    {"desk": "liquidation"},
                    {"stage": Stage.FORK},
                    {"key": "toy"},
                    {"key": "cold"},
                    {"plan_digest": "0" * 64},
                ]
            )
        request = self.world.request(wanted, unsigned, **changes)
        if dice.random() < 0.05:
            raw = bytearray(request.unsigned)
            raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
            request = self.world.request(wanted, unsigned, **changes, unsigned=bytes(raw))
        return request

    def alive(self) -> list[str]:
        """Return the capabilities that can sign something now."""
        now_s = self.world.clock.now_ms() // 1000
        fields = self.oracle.loaded
        return [
            one
            for one in self.oracle.newest.values()
            if one not in self.oracle.revoked and fields[one]["expires_at"] > now_s and fields[one]["tx_day"]
        ]

    def frame(self) -> int:
        """Send one frame of requests, let the oracle judge, and return how many there were."""
        self.base += self.dice.random() < 0.5
        requests = [self.ask() for _ in range(self.dice.choice([1, 1, 4, 16]))]
        for request, answer in zip(requests, self.world.core.handle(requests, is_admin=False), strict=True):
            if is_signed(answer):
                self.signed += 1
                self.oracle.judge(request, answer.raw, self.world.clock.now_ms())
        return len(requests)

    def meddle(self) -> None:
        """Let time pass, freeze, unfreeze, revoke, renew, or kill the signer and start it again."""
        chance = self.dice.random()
        if chance < 0.30:
            self.world.later(self.dice.choice([0.001, 1, 60, 600, 600, 3_600, 7_200, DAY_S]))
            self.base += self.dice.choice([0, 6])
        elif chance < 0.32:
            self.world.ask(Freeze(reason="odd", by="watch"))
            self.oracle.is_frozen = True
        elif chance < 0.44:
            self.world.ask(Unfreeze(reason="ok", by="ann"), is_admin=True)
            self.oracle.is_frozen = False
        elif chance < 0.45:
            wanted = self.dice.choice(self.ids)
            done = self.world.ask(Revoke(capability_id=wanted, reason="x", by="ann"), is_admin=True)
            if done.__struct_config__.tag == "done":
                self.oracle.revoked.add(wanted)
        elif chance < 0.47:
            self.world = self.world.restarted()
        else:
            self.load()


def run(seed: int, requests: int) -> Attacker:
    attacker, sent = Attacker(seed), 0
    while sent < requests:
        sent += attacker.frame()
        if attacker.dice.random() < 0.12:
            attacker.meddle()
        if len(attacker.alive()) < 2:
            attacker.load()
    return attacker


def run_many(seeds) -> None:
    for seed in seeds:
        run(seed, requests=2_000)


def test_no_signature_outside_a_capability_over_2_000_random_requests():
    attacker = run(seed=1, requests=2_000)
    assert attacker.signed > 50  # an attacker whom nothing is given proves nothing
    assert TOY.address not in {one for one, *_ in attacker.oracle.contents}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_no_signature_outside_a_capability_over_100_000_random_requests(seed):
    assert run(seed, requests=10_000).signed > 250


@pytest.mark.slow
@pytest.mark.parametrize(
    "removed",
    ["freeze", "capability", "scope", "target", "notional", "at_risk", "count", "gas", "nonce", "policies"],
)
def test_the_oracle_finds_a_signer_that_lacks_any_one_check(monkeypatch, removed):
    monkeypatch.setattr(core, "CHECKS", [one for one in core.CHECKS if one[0] != removed])
    with pytest.raises((AssertionError, KeyError)):
        run_many(range(20, 30))
