"""A canary that runs on a live chain, with the real signer process: what tests do to it, and what it says.

It runs in a thread of its own, as the process that it would be, and is told nothing of what befalls it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from tests.chain.rpc.support import eventually
from tests.custody.process.ground import SignerProcess
from tests.journeys.live import LIVE_LIMITS, LiveChain, at, granted

from tidegate.app import cli
from tidegate.app.config import FILE_NAME, load_config
from tidegate.app.progress import Progress
from tidegate.app.running import Hooks, RunSettings, Until, run_desk
from tidegate.custody.requests import SignTransaction
from tidegate.custody.transactions import encode_unsigned
from tidegate.ledger import JournalReader, Record, place_of
from tidegate.model import Address, RecordKind, Stage, TidegateError, UnsignedTransaction

GWEI = 10**9
PATIENT_S = 240.0
SIGNED = (RecordKind.SIGNATURE, RecordKind.REPLACEMENT)


def soon(holds: Callable[[], bool]) -> None:
    """Wait until something holds that another thread or process brings about."""
    asyncio.run(eventually(holds, within_s=PATIENT_S))


@dataclasses.dataclass
class Canary:
    """One canary, its chain, its signer and its ledger."""

    folder: Path
    live: LiveChain
    signer: SignerProcess
    capability_id: str = ""
    troubles: list[TidegateError] = dataclasses.field(default_factory=list)
    summary: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.ledger = self.home / "ledger.sqlite"
        self._flows, self._mining = threading.Event(), threading.Lock()
        self._flows.set()

    @property
    def account(self) -> Address:
        return self.signer.ground.address

    def grant(self, **particular: Any) -> str:
        """Have the signer load a capability, as ``tidegate devnet grant --load`` does."""
        with self._mining:  # the chain is asked for prices: one at a time
            self.capability_id = granted(self.signer, self.live, Stage.CANARY, **particular)
        return self.capability_id

    def start(self) -> None:
        """Begin to run, as ``tidegate run --stage canary`` does."""
        settings = {**self.live.settings, **LIVE_LIMITS, **at(self.signer)}
        settings |= {"chains__live__block_time_s": "0.2", "limits__orders_per_minute": "100000"}
        settings |= {"run__reconcile_every_blocks": "1000000"}  # at each start, and no more
        loaded = load_config(
            self.folder / FILE_NAME, {key.replace("__", "."): value for key, value in settings.items()}
        )
        chosen = RunSettings(loaded, self.home, place_of(self.ledger), Stage.CANARY, "live", Until())
        looked = threading.Event()

        def watch(_: Progress) -> None:
            looked.set()
            self._next_block()

        hooks = Hooks(watch=watch, trouble=self.troubles.append)

        def run() -> None:
            async def running() -> None:
                self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
                self.summary = await run_desk(chosen, hooks, self._stop)

            asyncio.run(running())

        self._thread = threading.Thread(target=run, name="canary", daemon=True)
        self._thread.start()
        soon(lambda: looked.is_set() or not self._thread.is_alive())
        assert looked.is_set(), "it did not begin"

    def stop(self) -> dict[str, Any]:
        """Ask it to end, and return its summary."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENT_S)
        assert not self._thread.is_alive()
        return self.summary

    def _next_block(self) -> None:
        with self._mining:
            if self._flows.is_set():
                self.live.advance()

    def hold(self) -> None:
        """Let no block come until ``flow``: what is sent waits in the pool."""
        self._flows.clear()
        with self._mining:
            pass

    def flow(self) -> None:
        """Mine a block, and let blocks come again."""
        with self._mining:
            self.live.advance()
            self._flows.set()

    def read(self, what: Callable[[JournalReader], Any]) -> Any:
        with JournalReader.open(place_of(self.ledger)) as reader:
            return what(reader)

    def head(self) -> int:
        return self.read(lambda reader: reader.head()[0])

    def records(self, kind: RecordKind, after: int = 0) -> list[Record]:
        return self.read(lambda reader: list(reader.records(kind, after=after)))

    def standing(self, topic: str) -> set[str]:
        return self.read(lambda reader: {one.name for one in reader.standing(topic)})

    def denials(self, after: int) -> dict[str, str]:
        """Return what intents were denied for since a record: the first words of each reason."""
        found: dict[str, str] = {}
        for record in self.records(RecordKind.OUTCOME, after):
            if record.body["reason"]:
                found.setdefault(record.body["reason"], record.body["detail"])
        return found

    def denied(self, reason: str) -> str:
        """Wait until an intent is denied for a reason from now on; return what the canary says about it."""
        after = self.head()
        soon(lambda: reason in self.denials(after))
        return self.denials(after)[reason]

    def signs(self, *, under: str = "") -> None:
        """Wait until it has signed anew, under a capability if one is named, and a block holds that."""
        after = self.head()
        soon(lambda: bool(self._landed_under(under, after)))

    def _landed_under(self, capability_id: str, after: int) -> set[str]:
        authorised = {
            one.correlation_id
            for one in self.records(RecordKind.AUTHORISATION, after)
            if capability_id in ("", one.body["capability_id"])
        }
        return authorised & {one.correlation_id for one in self.records(RecordKind.RECEIPT, after)}

    def told(self, code: str) -> TidegateError:
        """Wait until the run tells of a trouble; return it."""
        soon(lambda: any(one.code == code for one in self.troubles))
        return next(one for one in self.troubles if one.code == code)

    def nothing_is_signed_for(self, blocks: int) -> None:
        """See that strategies look at so many blocks more and nothing is signed."""
        after = self.head()
        soon(lambda: len({one.body["block"] for one in self.records(RecordKind.DECISION, after)}) >= blocks)
        assert not [one for kind in SIGNED for one in self.records(kind, after)]

    def nothing_is_signed_until_denied(self, reason: str) -> None:
        """See that the next intents are denied for a reason, and nothing is signed meanwhile."""
        after = self.head()
        soon(lambda: reason in self.denials(after))
        assert not [one for kind in SIGNED for one in self.records(kind, after)]

    def signatures_given(self) -> int:
        """Return how many signatures the signer's own journal holds."""
        return sum(
            record.kind is RecordKind.ANSWER and bool(record.body.get("signing"))
            for record in self.signer.ground.records()
        )

    def ask_for_cancel(self, capability_id: str, nonce: int) -> Any:
        """Ask the signer as a worker that knows no stop: a cancel, which every capability may sign."""
        ground = self.signer.ground
        unsigned = UnsignedTransaction(
            chain_id=31337,
            nonce=nonce,
            to=ground.address,
            data=b"",
            value_wei=0,
            gas_limit=21_000,
            max_fee_wei=10 * GWEI,
            max_priority_fee_wei=GWEI,
        )
        request = SignTransaction(
            key="operator",
            desk="atomic",
            stage=Stage.CANARY,
            capability_id=capability_id,
            intent_id="rogue",
            plan_digest=unsigned.content_digest,
            unsigned=encode_unsigned(unsigned),
        )

        async def ask() -> Any:
            async with self.signer.connect() as connection:
                return await connection.ask(request)

        return asyncio.run(ask())

    def stranger_sends(self, nonce: int) -> None:
        """Let somebody else who holds the key use a nonce, dearer than whatever waits under it."""
        theirs = {
            "chainId": 31337,
            "nonce": nonce,
            "to": self.account,
            "value": 0,
            "data": b"theirs",
            "gas": 100_000,
            "maxFeePerGas": 900 * GWEI,
            "maxPriorityFeePerGas": 800 * GWEI,
        }
        signed = Account.sign_transaction(theirs, self.signer.ground.secret)
        self.live.world.send_raw(bytes(signed.raw_transaction))

    def set_balance(self, wei: int) -> int:
        """Let the account have so much ether; return how much it had."""
        with self._mining:
            had_wei = self.live.world.balance(self.account)
            self.live.world.set_balance(self.account, wei)
        return had_wei

    def run_dry(self) -> int:
        """Take all ether away while nothing of ours waits in the pool; return how much it had.

        What waits would never be mined, and a strategy whose intent is open begins no other.
        """
        while True:
            after, had_wei = self.head(), self.set_balance(0)
            soon(lambda after=after: self.waiting() or "funds_missing" in self.denials(after))  # type: ignore[misc]
            if not self.waiting():
                return had_wei
            self.set_balance(had_wei)
            soon(lambda: not self.waiting())

    def outcome(self, intent_id: str) -> str:
        """Return how an intent ended; empty while it has not."""
        attempts = self.read(lambda reader: reader.attempts(intent_id=intent_id))
        return attempts[0].outcome.value if attempts and attempts[0].outcome is not None else ""

    def waiting(self) -> list[int]:
        """Return the nonces of ours that were sent and that no block holds yet."""
        with self._mining:  # the run's thread asks the same node by the same connection
            used = self.live.world.nonce(self.account)
        sent = {one.correlation_id for one in self.records(RecordKind.SENT)}
        return [
            int(one.body["nonce"])
            for one in self.records(RecordKind.SIGNATURE)
            if one.correlation_id in sent and one.body["nonce"] >= used
        ]

    def open_nonce(self) -> int:
        """Hold the chain until something of ours waits in the pool; return its nonce."""
        while True:
            self.hold()
            waiting = self.waiting()
            if waiting:
                return waiting[0]
            after = self.head()
            self.flow()
            soon(lambda after=after: self.head() > after)  # type: ignore[misc]

    def type(self, capsys: pytest.CaptureFixture[str], *words: Any, code: int = 0) -> dict[str, Any]:
        """Type a command beside the canary; return what it says."""
        capsys.readouterr()
        found = cli.run_command([*map(str, words), "--json"])
        said = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert found == code, said
        return dict(said)

    def resume(self, capsys: pytest.CaptureFixture[str], scope: str) -> dict[str, Any]:
        """Resume as a person does."""
        return self.type(capsys, "resume", "--scope", scope, "--reason", "looked", "--evidence", "ticket 9")

    def unfreeze(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Unfreeze as the administrator does."""
        self.type(capsys, "signer", "unfreeze", "--reason", "looked", "--config", self.signer.ground.config)

    def nothing_lost_nothing_twice(self) -> None:
        """Compare journal and chain: one outcome an intent, one block a nonce, no nonce of nobody."""
        outcomes: dict[str, int] = {}
        for record in self.records(RecordKind.OUTCOME):
            outcomes[record.correlation_id] = outcomes.get(record.correlation_id, 0) + 1
        assert set(outcomes.values()) <= {1}
        hashes = {one.body["hash"] for kind in SIGNED for one in self.records(kind)}
        receipts = self.records(RecordKind.RECEIPT)
        assert {one.body["hash"] for one in receipts} <= hashes, "a block holds only what is on record"
        landed = [one.correlation_id for one in receipts if not one.body["is_cancel"]]
        assert len(landed) == len(set(landed)), "no intent is in two blocks"
