"""What is demanded of a deployment before anything is signed, and of the capability that signs it."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.custody.signer_world import KEYS, MemoryJournal

from tidegate.app.deploying import Order, creation_terms, is_of_desk, judge_order
from tidegate.app.deploying.checks import executor_names
from tidegate.app.deploying.signers import DESK
from tidegate.app.devnet import devnet_handle
from tidegate.chain import NETWORKS, address, devnet_network
from tidegate.custody import Issuer, IssuerKind, Purpose, SignerCore, devnet_capability, sign_capability
from tidegate.custody.multisig import SafeFinding
from tidegate.custody.requests import LoadCapability, SignTransaction
from tidegate.custody.transactions import encode_unsigned
from tidegate.model import ZERO_ADDRESS, ManualClock, Stage, UnsignedTransaction
from tidegate.venues import Entry
from tidegate.venues.executor import Construction

OWNER, TREASURY, WETH, GUARDIAN, DEPLOYER = (address(number) for number in (1, 2, 3, 4, 5))
GOOD = Construction(owner=OWNER, treasury=TREASURY, weth=WETH, delay_s=86_400, guardians=(GUARDIAN,))
SAFE = (SafeFinding("owners", True, "5 distinct of 5"), SafeFinding("threshold", True, "3"))
WEAK = (SafeFinding("owners", False, "3 distinct of 3", "at least 5"), SAFE[1])
MAINNET, SEPOLIA, DEVNET = NETWORKS[1], NETWORKS[11155111], devnet_network(31337)


def wrong(network=MAINNET, *, safe=SAFE, has_code=True, verified=True, deployer=DEPLOYER, **changes):
    order = Order(
        chain="c",
        desk="atomic",
        names=("main1",),
        deployer=deployer,
        construction=msgspec.structs.replace(GOOD, **changes),
    )
    found = judge_order(order, network, safe=safe, weth_has_code=has_code, weth_is_verified=verified)
    assert all(finding.found for finding in found)
    return {finding.check for finding in found if not finding.ok}


def test_a_good_order_is_refused_by_nothing():
    assert wrong() == set()


@pytest.mark.parametrize(
    ("network", "given", "checks"),
    [
        (MAINNET, {"delay_s": 86_399}, {"delay"}),
        (SEPOLIA, {"delay_s": 0}, set()),
        (DEVNET, {"delay_s": 0}, set()),
        (MAINNET, {"delay_s": 2_592_001}, {"constructor"}),
        (MAINNET, {"safe": None}, {"owner"}),
        (SEPOLIA, {"safe": None}, {"owner"}),
        (DEVNET, {"safe": None}, set()),
        (MAINNET, {"safe": WEAK}, {"owner"}),
        (SEPOLIA, {"safe": WEAK}, {"owner"}),
        (DEVNET, {"safe": WEAK}, set()),
        (MAINNET, {"verified": False}, {"weth"}),
        (SEPOLIA, {"verified": False}, set()),
        (DEVNET, {"has_code": False}, {"weth"}),
        (MAINNET, {"guardians": ()}, {"guardians"}),
        (DEVNET, {"guardians": ()}, set()),
        (MAINNET, {"guardians": (OWNER,)}, {"constructor", "parts"}),
        (MAINNET, {"guardians": (GUARDIAN, GUARDIAN)}, {"parts"}),
        (MAINNET, {"deployer": OWNER}, {"parts"}),
        (MAINNET, {"deployer": GUARDIAN}, {"parts"}),
        (MAINNET, {"deployer": TREASURY}, {"parts"}),
        (MAINNET, {"treasury": ZERO_ADDRESS}, {"constructor"}),
        (MAINNET, {"owner": ZERO_ADDRESS}, {"constructor"}),
    ],
)
def test_what_a_deployment_must_be(network, given, checks):
    assert wrong(network, **given) == checks


def test_a_pair_is_named_by_its_desk_and_number():
    assert executor_names("atomic", 1, 2) == ("main1", "backup1")
    assert executor_names("momentum", 3, 1) == ("momentum_main3",)


ISSUER = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
KEY = devnet_handle("deployer")
NOW_S = 1_800_000_000


def answered(order: Order, unsigned: UnsignedTransaction):
    """Let the signer's core judge a creation under the capability that ``order`` asks for."""
    terms = creation_terms(order, 6_000_000)
    capability = devnet_capability(
        issuer=Issuer(name="d", kind=IssuerKind.DEVNET, public_key=ISSUER.public_key().public_bytes_raw()),
        network=DEVNET,
        is_throw_away=True,
        purpose=Purpose.ACT,
        desk=DESK,
        stage=Stage.CANARY,
        chain_id=DEVNET.chain_id,
        typed_domains=[],
        policies=[],
        prices=[{"token": ZERO_ADDRESS, "price_usd_e8": 3_000 * 10**8, "decimals": 18}],
        notional_tx_usd_e6=0,
        notional_day_usd_e6=0,
        at_risk_tx_usd_e6=10**9,
        at_risk_day_usd_e6=10**9,
        tx_day=10,
        max_fee_wei=10**11,
        not_before=NOW_S,
        expires_at=NOW_S + 3_600,
        serial=1,
        **terms,
    )
    core = SignerCore(
        keys={**KEYS, "deployer": KEY},
        journal=MemoryJournal(),
        clock=ManualClock(NOW_S * 1000),
        issuers=[Issuer(name="d", kind=IssuerKind.DEVNET, public_key=ISSUER.public_key().public_bytes_raw())],
        networks={DEVNET.chain_id: DEVNET},
    )
    request = SignTransaction(
        key="deployer",
        desk=DESK,
        stage=Stage.CANARY,
        capability_id=capability.id,
        intent_id="00" * 32,
        plan_digest=unsigned.content_digest,
        unsigned=encode_unsigned(unsigned),
    )
    envelope = sign_capability(capability, ISSUER)
    return core.handle([LoadCapability(envelope=envelope), request], is_admin=False)[1]


def creation(nonce: int, terms: Construction) -> UnsignedTransaction:
    return UnsignedTransaction(DEVNET.chain_id, nonce, None, terms.initcode, 0, 5_600_000, 10**10, 10**9)


def test_a_creation_is_a_target_of_the_capability_and_no_other_creation_is_signed():
    order = Order(
        chain="devnet", desk="atomic", names=("main1", "backup1"), deployer=KEY.address, construction=GOOD
    )
    assert answered(order, creation(0, GOOD)).__struct_config__.tag == "signed"
    other = msgspec.structs.replace(GOOD, owner=GUARDIAN, guardians=())
    refused = answered(order, creation(0, other))
    assert refused.reason.value == "creation_not_allowed"
    call = UnsignedTransaction(DEVNET.chain_id, 0, TREASURY, b"\x01\x02\x03\x04", 0, 90_000, 10**10, 10**9)
    assert answered(order, call).reason.value == "target_not_allowed"


@pytest.mark.parametrize(
    ("name", "recorded", "is_atomic", "is_liquidation"),
    [
        ("main1", None, True, False),
        ("backup12", None, True, False),
        ("liquidation_main1", None, False, True),
        ("main1", "liquidation", False, True),
        ("liquidation_main1", "atomic", True, False),
        ("ours", None, True, True),
    ],
)
def test_an_executor_is_the_desk_s_that_deployed_it_else_by_its_name_and_every_desk_s_if_neither_says(
    name: str, recorded: str | None, is_atomic: bool, is_liquidation: bool
) -> None:
    about = {} if recorded is None else {"desk": recorded}
    entry = Entry(name=f"executor.{name}", address=ZERO_ADDRESS, protocol="executor", about=about)
    assert (is_of_desk(entry, "atomic"), is_of_desk(entry, "liquidation")) == (is_atomic, is_liquidation)
