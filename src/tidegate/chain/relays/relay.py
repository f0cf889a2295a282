"""One bundle relay: offers, trials and cancels, and what its answers mean in the pool's own classes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tidegate.chain.jsonrpc import AlreadyKnown, CallReverted, decode_answer, encode_request
from tidegate.chain.relays.bundle import Bundle
from tidegate.chain.relays.identity import HEADER, RelayIdentity, header_of
from tidegate.chain.rpc.writes import verdict
from tidegate.chain.upstream import Upstream, UpstreamRequest
from tidegate.model import Ambiguous, Clock, TidegateError, Unavailable

_IDENTITY = 1
_REQUESTS, _WINDOW_S = 100, 1.0


class Supports(StrEnum):
    """What a relay can do beside taking bundles."""

    CANCEL = "cancel"
    SIMULATE = "simulate"


@dataclass(frozen=True, slots=True, repr=False)
class RelayPlace:
    """Where a relay is and what it can do. Its URL never shows.

    ``builders`` are those that it is to pass bundles on to, by the names that it knows them by; none named
    is its own choice. A request takes at most ``timeout_s``.
    """

    name: str
    url: str
    supports: frozenset[Supports] = frozenset({Supports.CANCEL})
    builders: tuple[str, ...] = ()
    timeout_s: float = 2.0

    def __repr__(self) -> str:
        return f"{self.name} (host hidden)"


class BundleRelay:
    """A relay that speaks ``eth_sendBundle``, ``eth_callBundle`` and ``eth_cancelBundle``.

    Parameters
    ----------
    identity
        Signs every request.
    """

    def __init__(self, place: RelayPlace, identity: RelayIdentity, *, clock: Clock | None = None) -> None:
        self.place = place
        self._identity = identity
        self._service = Upstream(
            place.name,
            place.url,
            requests=_REQUESTS,
            window_s=_WINDOW_S,
            total_s=place.timeout_s,
            clock=clock,
        )

    def __repr__(self) -> str:
        return f"BundleRelay({self.place!r})"

    @property
    def name(self) -> str:
        """Return what records and errors call it."""
        return self.place.name

    async def close(self) -> None:
        """End the connections."""
        await self._service.close()

    async def offer(self, bundles: Sequence[Bundle]) -> None:
        """Offer one set of bytes for several blocks; one acceptance is enough.

        Raises
        ------
        CallReverted
            If the relay's own trial of the bytes fails; then they were not offered.
        Rejected, Ambiguous, Unavailable
            If it accepted none.
        """
        if Supports.SIMULATE in self.place.supports:
            await self.simulate(bundles[0])
        answers = await asyncio.gather(*(self._offer(one) for one in bundles), return_exceptions=True)
        errors: list[TidegateError] = []
        for answer in answers:
            if isinstance(answer, TidegateError):
                errors.append(answer)
            elif answer is not None:
                raise answer
        if len(errors) == len(answers):
            raise verdict(errors)

    async def cancel(self, uuid: str) -> None:
        """Take an offer back. Raises as ``offer``, and ``Unavailable`` where the relay can not do that."""
        if Supports.CANCEL not in self.place.supports:
            raise Unavailable(f"{self.name} cancels nothing", code="not_supported")
        await self._ask("eth_cancelBundle", {"replacementUuid": uuid}, is_repeatable=True)

    async def simulate(self, bundle: Bundle) -> int:
        """Return the gas that the bundle would use in its block.

        Raises
        ------
        CallReverted
            If a transaction of it fails.
        Unavailable
            If the relay does not say.
        """
        found = await self._ask("eth_callBundle", bundle.trial, is_repeatable=True)
        try:
            results = list(found["results"])
            failed = next((one for one in results if one.get("error") or one.get("revert")), None)
            gas_used = sum(int(one["gasUsed"]) for one in results)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Unavailable(
                f"{self.name} does not say what the bundle does", code="transport", found=repr(error)
            ) from error
        if failed is not None:
            raise CallReverted(b"", halt=f"{self.name}: {failed.get('revert') or failed.get('error')}"[:200])
        if len(results) != len(bundle.transactions):
            raise Unavailable(f"{self.name} tried {len(results)} transactions", code="transport")
        return gas_used

    async def reach(self) -> None:
        """Ask for what does no harm: the cancel of an offer that nobody made. Raises as ``cancel``."""
        await self._ask(
            "eth_cancelBundle",
            {"replacementUuid": "00000000-0000-4000-8000-000000000000"},
            is_repeatable=True,
        )

    async def _offer(self, bundle: Bundle) -> None:
        try:
            await self._ask("eth_sendBundle", bundle.offer, is_repeatable=False)
        except AlreadyKnown:
            return

    async def _ask(self, method: str, parameter: dict[str, Any], *, is_repeatable: bool) -> Any:
        body = encode_request(method, [parameter], _IDENTITY)
        request = UpstreamRequest(
            method="POST",
            body=body,
            headers={"Content-Type": "application/json", HEADER: header_of(self._identity, body)},
            is_repeatable=is_repeatable,
        )

        def parse(answer: bytes) -> Any:
            try:
                return decode_answer(answer, _IDENTITY)
            except Unavailable as nonsense:
                if nonsense.code != "transport" or is_repeatable:
                    raise
                raise Ambiguous(
                    f"{self.name} did not confirm; the bundle may have arrived", found=nonsense.found
                ) from nonsense

        return await self._service.ask(request, parse)
