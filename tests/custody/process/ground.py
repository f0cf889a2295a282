"""A real signer in a process of its own: what it needs on disk, its start, and its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tidegate.custody import SignerClient, SignerConnection
from tidegate.custody.capability import Capability, Price, Purpose, Target, make_capability
from tidegate.custody.envelope import sign_capability
from tidegate.custody.keys import KeyFile, KeyKind, Password
from tidegate.ledger import JournalReader, Record
from tidegate.model import ZERO_ADDRESS, Address, Stage, UnsignedTransaction, sha256_hex

CHAIN_ID = 31337
TARGET = Address("0x00000000000000000000000000000000000000AA")
ETH_USD_E8 = 3_000 * 10**8
ONE_USD_WEI = 10**18 // 3_000 + 1  # notional is rounded up: a hair above one dollar
FAULTY = Path(__file__).with_name("faulty_signer.py")


@dataclass
class Ground:
    """A signer's files: a throw-away key with a known secret and password, a pinned issuer."""

    folder: Path
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    password: bytes = field(default_factory=lambda: b"password-" + os.urandom(12).hex().encode())
    issuer: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    people: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    serial: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = KeyFile.make(
            "operator", Password(self.password), kind=KeyKind.THROW_AWAY, secret=self.secret, scrypt_n=16
        )
        file.write(self.folder / "keys")
        self.address = file.shown_address

    @property
    def config(self) -> Path:
        return self.folder / "signer.toml"

    @property
    def socket(self) -> Path:
        return self.folder / "signer.sock"

    @property
    def admin_socket(self) -> Path:
        return self.folder / "admin.sock"

    def records(self) -> list[Record]:
        with JournalReader.open(self.folder / "journal.sqlite") as reader:
            return list(reader.records())

    def capability(self, **particular: Any) -> Capability:
        """Return a capability for coin to ``TARGET``, a dollar each, as many as one likes."""
        self.serial += 1
        now = int(time.time())
        fields: dict[str, Any] = {
            "purpose": Purpose.ACT,
            "desk": "atomic",
            "stage": Stage.CANARY,
            "chain_id": CHAIN_ID,
            "key_address": self.address,
            "targets": (Target(address=TARGET, code_hash="0x" + "00" * 32, selectors=("0x",)),),
            "typed_domains": (),
            "policies": (),
            "prices": (Price(token=ZERO_ADDRESS, price_usd_e8=ETH_USD_E8, decimals=18),),
            "notional_tx_usd_e6": 10 * 10**6,
            "notional_day_usd_e6": 10**6 * 10**6,
            "at_risk_tx_usd_e6": 100 * 10**6,
            "at_risk_day_usd_e6": 10**9 * 10**6,
            "tx_day": 100_000,
            "gas_limit_max": 100_000,
            "max_fee_wei": 100 * 10**9,
            "unvalued": (),
            "not_before": now - 10,
            "expires_at": now + 3_600,
            "evidence_digest": "",
            "policy_digest": "",
            "grant_digest": "",
            "checkpoint": None,
            "issued_by": sha256_hex(self.issuer.public_key().public_bytes_raw()),
            "serial": self.serial,
        }
        self.capability_in_force = make_capability(**{**fields, **particular})
        return self.capability_in_force

    def envelope(self, capability: Capability) -> bytes:
        return sign_capability(capability, self.issuer)

    def write_config(self, *, password: str, signer: str = "", witness: str = "") -> None:
        issuer = self.issuer.public_key().public_bytes_raw().hex()
        self.config.write_text(
            f"""
            [signer]
            {signer or "rate_per_s = 10000"}
            [chains]
            devnets = [{CHAIN_ID}]
            [witness]
            {witness}
            [[keys]]
            file = "keys/operator.json"
            password = "{password}"
            [[issuers]]
            name = "devnet"
            kind = "devnet"
            public_key = "{issuer}"
            """
            + "".join(
                f"""
            [[issuers]]
            name = "{name}"
            kind = "person"
            public_key = "{key.public_key().public_bytes_raw().hex()}"
            """
                for name, key in self.people.items()
            )
        )


class SignerProcess:
    """A running ``tidegate signer run``; started with ``fault`` it is the same with one thing broken.

    Its output goes to ``output``, for those who search it.
    """

    def __init__(
        self,
        ground: Ground,
        *,
        fault: str = "",
        signer: str = "",
        witness: str = "",
        before: list[str] | None = None,
        pass_fds: tuple[int, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.ground = ground
        self._fault = fault
        self._signer = signer
        self._witness = witness
        self._before = before or []
        self._pass_fds = pass_fds
        self._environment = environment or {}

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        reading, writing = os.pipe()
        os.write(writing, self.ground.password + b"\n")
        os.close(writing)
        self.ground.write_config(password=f"fd:{reading}", signer=self._signer, witness=self._witness)
        verb = ["signer", "run", "--json", "--config", str(self.ground.config)]
        start = [str(FAULTY), self._fault, *verb] if self._fault else ["-m", "tidegate", *verb]
        self.errors = self.ground.folder / "stderr.txt"
        with self.errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [*self._before, sys.executable, *start],
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=(reading, *self._pass_fds),
                cwd=self.ground.folder,
                env={**os.environ, "TIDEGATE_HOME": str(self.ground.folder), **self._environment},
            )
        os.close(reading)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.ended()
            raise AssertionError(f"the signer did not start: {self.errors.read_text()}")
        self.facts = json.loads(line)
        if not self.facts["ok"]:
            self.ended()
            raise AssertionError(f"the signer did not start: {self.facts}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """Send SIGTERM, unless it ended already, and return the exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended and return the exit code, negative for a signal."""
        code = self._process.wait(timeout=120)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def connect(self) -> SignerConnection:
        return SignerConnection(self.ground.socket, deadline_s=120)

    def administer(self) -> SignerConnection:
        return SignerConnection(self.ground.admin_socket, deadline_s=120)


async def load(connection: SignerConnection, ground: Ground, **particular: Any) -> SignerClient:
    """Load a capability and return a signer under it."""
    capability = ground.capability(**particular)
    await connection.load_capability(ground.envelope(capability))
    return await bind(connection, capability)


async def bind(connection: SignerConnection, capability: Capability) -> SignerClient:
    return await SignerClient.bind(
        connection,
        key="operator",
        desk=capability.desk,
        stage=capability.stage,
        capability_id=capability.id,
    )


def transaction(nonce: int, **particular: Any) -> UnsignedTransaction:
    fields: dict[str, Any] = {
        "chain_id": CHAIN_ID,
        "nonce": nonce,
        "to": TARGET,
        "data": b"",
        "value_wei": ONE_USD_WEI,
        "gas_limit": 21_000,
        "max_fee_wei": 10 * 10**9,
        "max_priority_fee_wei": 10**9,
    }
    return UnsignedTransaction(**{**fields, **particular})


async def sign(signer: SignerClient, nonce: int, **particular: Any) -> bytes:
    unsigned = transaction(nonce, **particular)
    signed = await signer.sign_transaction(
        unsigned, intent_id=f"intent-{nonce}", plan_digest=unsigned.content_digest
    )
    return signed.raw
