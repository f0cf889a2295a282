"""A bundle relay of ours on loopback, over a node of ours: what it accepts, refuses, hides and includes.

It speaks the documented protocol: signed requests, offers for one block under a UUID, replacement, trial and
cancel. What it holds never waits in the node's mempool; a block takes it whole, in order, or not at all.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Self

import msgspec
from aiohttp import web
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from tidegate.chain import Connection, address, integer, keccak256, octets, quantity
from tidegate.chain.relays import BYTES_MAX, HEADER, TRANSACTIONS_MAX, asker_of
from tidegate.model import Address, Block, TidegateError
from tidegate.sim.exact import ExactWorld

_INVALID, _BAD_PARAMS, _NO_METHOD = -32600, -32602, -32601


class Manner(StrEnum):
    """How the builder behind the relay behaves."""

    HONEST = "honest"  # holds what it accepts and includes it in its block
    REFUSES = "refuses"  # answers every offer with an error
    HANGS = "hangs"  # takes requests and never answers
    SWALLOWS = "swallows"  # takes an offer, means to include it, and never answers
    IDLE = "idle"  # accepts and never includes
    DEAF = "deaf"  # says that it has cancelled, and includes all the same
    GIBBERISH = "gibberish"  # answers with what is no JSON-RPC


class Held(msgspec.Struct, frozen=True):
    """A bundle that a relay holds."""

    asker: Address
    uuid: str
    block_number: int
    transactions: tuple[bytes, ...]
    min_timestamp_s: int
    max_timestamp_s: int | None


class RelayDouble:
    """A relay over a world of ours. Used as ``async with RelayDouble(world) as relay``.

    Attributes
    ----------
    manner
        How it behaves from the next request on.
    methods
        How many requests of each method came with a valid signature.
    strangers
        How many came without one; all were refused.
    askers
        Who has asked, by the key that signed.
    held
        What it holds, by asker and UUID.
    """

    def __init__(self, world: ExactWorld, manner: Manner = Manner.HONEST) -> None:
        self.manner = manner
        self.methods: Counter[str] = Counter()
        self.offers: list[dict[str, Any]] = []
        self.strangers = 0
        self.askers: set[Address] = set()
        self.held: dict[tuple[Address, str], Held] = {}
        self._world = world
        self._node = Connection(world.url, name="the relay's node")
        self._let_go = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=4 * BYTES_MAX)
        app.router.add_post("/", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._let_go.set()
        if self._runner is not None:
            await self._runner.cleanup()
        self._node.close()

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def candidates(self, block_number: int, timestamp_s: int) -> list[Held]:
        """Return what its builder would put into a block with this number and time."""
        if self.manner in (Manner.REFUSES, Manner.HANGS, Manner.IDLE, Manner.GIBBERISH):
            return []
        return [
            one
            for one in self.held.values()
            if one.block_number == block_number
            and one.min_timestamp_s <= timestamp_s
            and (one.max_timestamp_s is None or timestamp_s <= one.max_timestamp_s)
        ]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asker = asker_of(request.headers.get(HEADER, ""), body)
        if asker is None:
            self.strangers += 1
            return _error(None, _INVALID, f"{HEADER} is no signature of this body", status=403)
        asked = msgspec.json.decode(body)
        identity, method, parameters = asked.get("id"), asked.get("method"), asked.get("params")
        self.askers.add(asker)
        self.methods[str(method)] += 1
        if self.manner is Manner.HANGS:
            await self._let_go.wait()
        if self.manner is Manner.GIBBERISH:
            return web.Response(body=b"<html>", content_type="text/html")
        match method:
            case "eth_sendBundle":
                response = self._take(asker, parameters, identity)
            case "eth_cancelBundle":
                response = self._cancel(asker, parameters, identity)
            case "eth_callBundle":
                response = self._try(parameters, identity)
            case _:
                return _error(identity, _NO_METHOD, f"the method {method} does not exist")
        if self.manner is Manner.SWALLOWS:
            await self._let_go.wait()
        return response

    def _take(self, asker: Address, parameters: Any, identity: Any) -> web.Response:
        try:
            (offer,) = parameters
            transactions = tuple(octets(raw) for raw in offer["txs"])
            block_number = integer(offer["blockNumber"])
        except (KeyError, TypeError, ValueError, TidegateError):
            return _error(identity, _BAD_PARAMS, "invalid params: txs and blockNumber are needed")
        if self.manner is Manner.REFUSES:
            return _error(identity, -32603, "the builder takes no bundles now")
        size = sum(map(len, transactions))
        if not 1 <= len(transactions) <= TRANSACTIONS_MAX or size > BYTES_MAX:
            return _error(identity, _BAD_PARAMS, "invalid params: the bundle is too large")
        if block_number <= self._world.block().number:
            return _error(identity, _BAD_PARAMS, "invalid params: that block is there already")
        self.offers.append(offer)
        bundle_hash = keccak256(b"".join(keccak256(raw) for raw in transactions))
        uuid = str(offer.get("replacementUuid") or bundle_hash.hex())
        self.held[asker, uuid] = Held(
            asker=asker,
            uuid=uuid,
            block_number=block_number,
            transactions=transactions,
            min_timestamp_s=int(offer.get("minTimestamp") or 0),
            max_timestamp_s=offer.get("maxTimestamp"),
        )
        return _result(identity, {"bundleHash": "0x" + bundle_hash.hex()})

    def _cancel(self, asker: Address, parameters: Any, identity: Any) -> web.Response:
        uuid = str(parameters[0].get("replacementUuid")) if parameters else ""
        if self.manner is not Manner.DEAF:
            self.held.pop((asker, uuid), None)
        return _result(identity, 200)

    def _try(self, parameters: Any, identity: Any) -> web.Response:
        transactions = [octets(raw) for raw in parameters[0]["txs"]]
        try:
            results = simulated(self._node, transactions, self._world.block())
        except TidegateError as error:
            return _error(identity, -32000, f"{error.message}: {error.found}")
        return _result(
            identity,
            {
                "results": [
                    {
                        "txHash": "0x" + keccak256(raw).hex(),
                        "gasUsed": integer(one["gasUsed"]),
                        **({} if one["status"] == "0x1" else {"error": "execution reverted", "revert": ""}),
                    }
                    for raw, one in zip(transactions, results, strict=True)
                ],
                "totalGasUsed": sum(integer(one["gasUsed"]) for one in results),
            },
        )


def build_block(world: ExactWorld, relays: Sequence[RelayDouble], *, timestamp: int | None = None) -> Block:
    """Mine a block as builders behind these relays do: each bundle whole or not at all, then what waits.

    A bundle of which one transaction would fail, or whose nonces do not fit, is left out. Bundles go into
    the node in the moment in which the block is made, so nobody who reads the mempool has seen them.
    """
    head = world.block()
    time_s = head.timestamp + 1 if timestamp is None else timestamp
    taken: list[bytes] = []
    with Connection(world.url, name="the builder's node") as node:
        for relay in relays:
            for bundle in relay.candidates(head.number + 1, time_s):
                wanted = [*taken, *(raw for raw in bundle.transactions if raw not in taken)]
                if wanted != taken and _succeeds(node, wanted, head):
                    taken = wanted
        for raw in taken:
            world.send_raw(raw)
    return world.mine(timestamp=timestamp)


def simulated(node: Connection, transactions: Sequence[bytes], head: Block) -> list[dict[str, Any]]:
    """Return what became of each transaction, run in this order in one block after ``head``.

    Raises
    ------
    Rejected
        If one of them can be in no such block: nonce, funds, fee.
    """
    block = {
        "blockOverrides": {"baseFeePerGas": quantity(head.base_fee_wei)},
        "calls": [_call(raw) for raw in transactions],
    }
    parameter = {"blockStateCalls": [block], "validation": True}
    found: list[dict[str, Any]] = node.request("eth_simulateV1", parameter, quantity(head.number))[0]["calls"]
    return found


def _succeeds(node: Connection, transactions: Sequence[bytes], head: Block) -> bool:
    try:
        return _follows(node, transactions) and all(
            one["status"] == "0x1" for one in simulated(node, transactions, head)
        )
    except TidegateError:
        return False


def _follows(node: Connection, transactions: Sequence[bytes]) -> bool:
    """Say whether each account's nonces follow one another from its count on: the node does not say."""
    next_of: dict[Address, int] = {}
    for raw in transactions:
        call = _call(raw)
        sender = call["from"]
        if sender not in next_of:
            next_of[sender] = integer(node.request("eth_getTransactionCount", sender, "latest"))
        if integer(call["nonce"]) != next_of[sender]:
            return False
        next_of[sender] += 1
    return True


def _call(raw: bytes) -> dict[str, Any]:
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return {
        "from": address(Account.recover_transaction(HexBytes(raw))),
        "to": address(bytes(fields["to"])),
        "input": "0x" + bytes(fields["data"]).hex(),
        "value": quantity(fields["value"]),
        "gas": quantity(fields["gas"]),
        "nonce": quantity(fields["nonce"]),
        "maxFeePerGas": quantity(fields["maxFeePerGas"]),
        "maxPriorityFeePerGas": quantity(fields["maxPriorityFeePerGas"]),
    }


def _result(identity: Any, result: Any) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": identity, "result": result})


def _error(identity: Any, code: int, message: str, *, status: int = 200) -> web.Response:
    body = {"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": message}}
    return web.json_response(body, status=status)
