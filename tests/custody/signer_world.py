"""A signer in memory: keys, issuers, a clock, capabilities and requests that tests turn and bend."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tidegate.chain import NETWORKS, address, devnet_network, encode_call, keccak256
from tidegate.custody.capability import Capability, Purpose, make_capability
from tidegate.custody.core import SignerCore
from tidegate.custody.envelope import Issuer, IssuerKind, sign_capability
from tidegate.custody.keys.local import SecpKey
from tidegate.custody.orders import Order, OrderKind, sign_order
from tidegate.custody.ports import CodeReading
from tidegate.custody.requests import LoadCapability, SignTransaction, SignTypedData
from tidegate.custody.transactions import encode_unsigned
from tidegate.ledger import GENESIS_HASH, Record
from tidegate.model import ZERO_ADDRESS, Address, ManualClock, Stage, UnsignedTransaction, canonical_json

CHAIN = 31_337
START_S = 1_800_000_000
GWEI = 10**9
ETHER = 10**18
USD = 10**6
DAY_S = 86_400

USDC = address("0x" + "c0" * 20)
POOL = address("0x" + "b0" * 20)
FRIEND = address("0x" + "f0" * 20)
USDC_CODE = keccak256(b"usdc")
POOL_CODE = keccak256(b"pool")

TRANSFER = "0xa9059cbb"
TRANSFER_FROM = "0x23b872dd"
APPROVE = "0x095ea7b3"
REPAY = "0x573ade81"


def ed25519(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes((seed,)) * 32)


DEVNET_ISSUER, GATE, ANN, BOB, STRANGER = (ed25519(seed) for seed in (1, 2, 3, 4, 5))


def issuer(key: Ed25519PrivateKey, kind: IssuerKind, name: str) -> Issuer:
    return Issuer(name=name, kind=kind, public_key=key.public_key().public_bytes_raw())


ISSUERS = (
    issuer(DEVNET_ISSUER, IssuerKind.DEVNET, "devnet"),
    issuer(GATE, IssuerKind.GATE, "gate"),
    issuer(ANN, IssuerKind.PERSON, "ann"),
    issuer(BOB, IssuerKind.PERSON, "bob"),
)
HOT = SecpKey(b"\x11" * 32, is_throw_away=False)
TOY = SecpKey(b"\x22" * 32, is_throw_away=True)
KEYS = {"hot": HOT, "toy": TOY}


class MemoryJournal:
    """Keeps records as the ledger does; fails or dies when it is told to."""

    def __init__(self) -> None:
        self.kept: list[Record] = []
        self.fails: BaseException | None = None
        self.dies_after: BaseException | None = None
        self.commits = 0

    def append_many(self, entries):
        if self.fails is not None:
            raise self.fails
        added = []
        for entry in entries:
            seq = len(self.kept) + len(added) + 1
            added.append(
                Record(
                    seq,
                    0,
                    entry.actor,
                    entry.kind,
                    entry.correlation_id,
                    entry.causation_id,
                    canonical_json(entry.body.to_body()).decode(),
                    GENESIS_HASH,
                    GENESIS_HASH,
                )
            )
        self.kept += added
        self.commits += 1
        if self.dies_after is not None:
            raise self.dies_after
        return added

    def records(self):
        yield from self.kept


@dataclass
class FixedWitness:
    """Answers what it was told to answer."""

    readings: dict[tuple[int, str], CodeReading] = field(default_factory=dict)

    def code(self, chain_id, target):
        return self.readings.get((chain_id, target))

    def saw(self, target, code_hash, *, at_s=START_S, chain_id=CHAIN, providers=("one", "two")):
        self.readings[chain_id, target] = CodeReading(
            chain_id=chain_id,
            address=target,
            code_hash=code_hash,
            block_hash=b"\x01" * 32,
            providers=providers,
            read_at_ms=at_s * 1000,
        )
        return self


PLAIN: dict[str, Any] = {
    "purpose": Purpose.ACT,
    "desk": "atomic",
    "stage": Stage.CANARY,
    "chain_id": CHAIN,
    "key_address": HOT.address,
    "targets": (
        {"address": POOL, "code_hash": "0x" + POOL_CODE.hex(), "selectors": (REPAY, "0x")},
        {
            "address": USDC,
            "code_hash": "0x" + USDC_CODE.hex(),
            "selectors": (TRANSFER, TRANSFER_FROM, APPROVE),
        },
    ),
    "typed_domains": (
        {
            "name": "USD Coin",
            "version": "2",
            "chain_id": CHAIN,
            "verifying_contract": USDC,
            "primary_types": ("Permit", "Vote"),
        },
    ),
    "policies": (),
    "prices": (
        {"token": ZERO_ADDRESS, "price_usd_e8": 3_000 * 10**8, "decimals": 18},
        {"token": USDC, "price_usd_e8": 10**8, "decimals": 6},
    ),
    "notional_tx_usd_e6": 1_000 * USD,
    "notional_day_usd_e6": 2_500 * USD,
    "at_risk_tx_usd_e6": 1_100 * USD,
    "at_risk_day_usd_e6": 4_000 * USD,
    "tx_day": 10,
    "gas_limit_max": 500_000,
    "max_fee_wei": 100 * GWEI,
    "unvalued": ({"target": POOL, "function": REPAY, "per_day": 3},),
    "not_before": START_S - 60,
    "expires_at": START_S - 60 + DAY_S,
    "evidence_digest": "",
    "policy_digest": "",
    "grant_digest": "",
    "checkpoint": None,
    "serial": 1,
}


def key_id(key: Ed25519PrivateKey) -> str:
    return issuer(key, IssuerKind.GATE, "any").key_id


def capability(*, by: Ed25519PrivateKey = DEVNET_ISSUER, **changes: Any) -> Capability:
    return make_capability(**{**PLAIN, "issued_by": key_id(by), **changes})


def envelope(*, by: Ed25519PrivateKey = DEVNET_ISSUER, **changes: Any) -> bytes:
    return sign_capability(capability(by=by, **changes), by)


def transaction(**changes: Any) -> UnsignedTransaction:
    fields = {
        "chain_id": CHAIN,
        "nonce": 0,
        "to": USDC,
        "data": transfer(100 * USD),
        "value_wei": 0,
        "gas_limit": 100_000,
        "max_fee_wei": 10 * GWEI,
        "max_priority_fee_wei": GWEI,
        **changes,
    }
    return UnsignedTransaction(**fields)


def transfer(amount: int, to: str = FRIEND) -> bytes:
    return encode_call("transfer(address,uint256)", to, amount)


def order(
    kind: OrderKind,
    by: Ed25519PrivateKey,
    *,
    signer: Address = HOT.address,
    subject: str = "",
    at_s: int = START_S,
) -> bytes:
    return sign_order(Order(kind=kind, signer=signer, subject=subject, reason="theft", at_s=at_s), by)


@dataclass
class SignerWorld:
    """One signer and what stands around it; ``restarted`` is the same place after a kill."""

    journal: Any = field(default_factory=MemoryJournal)
    clock: ManualClock = field(default_factory=lambda: ManualClock(START_S * 1000))
    witness: Any = None
    issuers: tuple[Issuer, ...] = ISSUERS
    keys: dict[str, Any] = field(default_factory=lambda: dict(KEYS))
    networks: dict[int, Any] = field(default_factory=lambda: {**NETWORKS, CHAIN: devnet_network(CHAIN)})
    recorder: Any = None
    core: SignerCore = field(init=False)

    def __post_init__(self) -> None:
        self.core = SignerCore(
            keys=self.keys,
            journal=self.journal,
            clock=self.clock,
            issuers=self.issuers,
            networks=self.networks,
            witness=self.witness,
            recorder=self.recorder,
        )

    def restarted(self, **changes: Any) -> SignerWorld:
        return replace(self, **changes)

    def later(self, seconds: float) -> None:
        self.clock.set_ms(self.clock.now_ms() + int(seconds * 1000))

    def ask(self, *requests: Any, is_admin: bool = False) -> Any:
        answers = self.core.handle(requests, is_admin=is_admin)
        return answers[0] if len(requests) == 1 else answers

    def load(self, **changes: Any) -> str:
        """Load a capability and return its id."""
        answer = self.ask(LoadCapability(envelope=envelope(**changes)))
        assert answer.__struct_config__.tag == "loaded", answer
        return answer.capability_id

    def request(self, capability_id: str, wanted: UnsignedTransaction, **changes: Any) -> SignTransaction:
        fields = {
            "key": "hot",
            "desk": "atomic",
            "stage": Stage.CANARY,
            "capability_id": capability_id,
            "intent_id": f"intent-{wanted.nonce}",
            "plan_digest": wanted.content_digest,
            "unsigned": encode_unsigned(wanted),
        }
        return SignTransaction(**{**fields, **changes})

    def sign(self, capability_id: str, wanted: UnsignedTransaction | None = None, **changes: Any) -> Any:
        return self.ask(self.request(capability_id, wanted or transaction(), **changes))

    def sign_typed(self, capability_id: str, typed: bytes, **changes: Any) -> Any:
        fields = {
            "key": "hot",
            "desk": "atomic",
            "stage": Stage.CANARY,
            "capability_id": capability_id,
            "intent_id": "typed",
            "typed": typed,
            **changes,
        }
        return self.ask(SignTypedData(**fields))


def is_signed(answer: Any) -> bool:
    return answer.__struct_config__.tag in ("signed", "signed_typed")


def refusal(answer: Any) -> tuple[str, str]:
    """Return the check that failed and its reason."""
    assert answer.__struct_config__.tag == "refused", answer
    return answer.check, answer.reason.value
