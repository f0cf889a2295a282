"""The address book of one chain: every name that a strategy may use, and what it stands for.

A name that is not in the book does not exist. Books are TOML files (``addresses/<chain>.toml``)
or plain mappings, such as the one that the devnet writes about itself.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import msgspec

from tidegate.chain import address
from tidegate.model import ZERO_ADDRESS, Address, ConfigError

NATIVE = "ETH"
EDITION = "edition"
"""Where an entry says, among what it is known for, which edition of an interface its code speaks."""


class Token(msgspec.Struct, frozen=True, omit_defaults=True):
    """A token. ``feed`` is the book name of its USD price feed (8 decimals), if it has one.

    ``source``, ``date``, ``code_hash`` and ``confirmed`` as in ``Entry``; its probe is ``decimals()``.
    """

    symbol: str
    address: Address
    decimals: int
    feed: str | None = None
    code_hash: str = ""
    source: str = ""
    date: str = ""
    confirmed: str = ""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A contract by its book name (``uniswap_v3.router``), with what is known of its identity.

    Attributes
    ----------
    code_hash
        Keccak of the runtime code in hex. Empty is unverified: nobody has looked yet.
    source, date
        The URL where the address is published, and the day (ISO) on which the entry was written.
    probe, answer
        A view and what it answers, as ``venues.Probe`` reads them.
    confirmed
        Who recorded the code hash, when and at which block.
    heartbeat_s
        Of price feeds: the longest time that a healthy feed stays silent.
    about
        Facts that an adapter needs (a pool's tokens and fee), as text.
    """

    name: str
    address: Address
    protocol: str = ""
    code_hash: str = ""
    source: str = ""
    heartbeat_s: int | None = None
    about: dict[str, str] = {}
    date: str = ""
    probe: str = ""
    answer: str = ""
    confirmed: str = ""

    @property
    def is_verified(self) -> bool:
        """Say whether a code hash is recorded, so that another code would be noticed."""
        return bool(self.code_hash)


class AddressBook(msgspec.Struct, frozen=True):
    """The names of one chain. Contracts include executors, the guard lens and the treasury.

    Well-known names: ``executor.<name>``, ``guard_lens``, ``treasury``, ``weth.weth9``,
    ``uniswap_v2.router``, ``uniswap_v3.router02``, ``aave_v3.pool``, ``feed.<PAIR>``.
    """

    chain: str
    chain_id: int
    tokens: Mapping[str, Token]
    contracts: Mapping[str, Entry]

    def token(self, symbol: str) -> Token:
        """Return the token called ``symbol``; ``ETH`` is the native coin at the zero address.

        Raises
        ------
        ConfigError
            ATM111 naming the nearest symbol of this chain.
        """
        if symbol == NATIVE:
            return Token(symbol=NATIVE, address=ZERO_ADDRESS, decimals=18, feed=self._native_feed())
        if symbol not in self.tokens:
            unknown("token", symbol, [*self.tokens, NATIVE], self.chain)
        return self.tokens[symbol]

    def entry(self, name: str) -> Entry:
        """Return the contract called ``name``.

        Raises
        ------
        ConfigError
            ATM111 naming the nearest contract of this chain.
        """
        if name not in self.contracts:
            unknown("contract", name, self.contracts, self.chain)
        return self.contracts[name]

    def executor(self, name: str) -> Entry:
        """Return the executor called ``name`` (``main1`` stands as ``executor.main1``)."""
        full = f"executor.{name}"
        if full not in self.contracts:
            unknown("executor", name, self.executors(), self.chain)
        return self.contracts[full]

    def executors(self) -> tuple[str, ...]:
        """Return the executors' names, sorted."""
        return tuple(sorted(name[9:] for name in self.contracts if name.startswith("executor.")))

    def claims(self) -> tuple[Entry, ...]:
        """Return everything that the book says stands somewhere: contracts, and tokens by their symbol."""
        tokens = (
            Entry(
                name=symbol,
                address=token.address,
                protocol="token",
                code_hash=token.code_hash,
                source=token.source,
                date=token.date,
                probe="decimals()(uint8)",
                answer=str(token.decimals),
                confirmed=token.confirmed,
            )
            for symbol, token in sorted(self.tokens.items())
        )
        return (*tokens, *(entry for _, entry in sorted(self.contracts.items())))

    def with_entries(self, *entries: Entry) -> AddressBook:
        """Return the book with these contracts, each in the place of one of the same name."""
        return msgspec.structs.replace(
            self, contracts={**self.contracts, **{entry.name: entry for entry in entries}}
        )

    def confirmed(self, name: str, *, code_hash: str, note: str, edition: str = "") -> AddressBook:
        """Return the book with a code hash recorded for the contract or token called ``name``.

        ``edition`` is that of the interface which the same code speaks, empty for the usual one.

        Raises
        ------
        ConfigError
            ATM111 if it has neither.
        """
        if name in self.tokens:
            token = msgspec.structs.replace(self.tokens[name], code_hash=code_hash, confirmed=note)
            return msgspec.structs.replace(self, tokens={**self.tokens, name: token})
        entry = self.entry(name)
        about = {key: fact for key, fact in entry.about.items() if key != EDITION}
        about |= {EDITION: edition} if edition else {}
        return self.with_entries(
            msgspec.structs.replace(entry, code_hash=code_hash, confirmed=note, about=about)
        )

    def over(self, base: AddressBook | None) -> AddressBook:
        """Return this book with what only ``base`` knows beside it; this one's names win."""
        if base is None:
            return self
        return msgspec.structs.replace(
            self,
            tokens={**base.tokens, **self.tokens},
            contracts={**base.contracts, **self.contracts},
        )

    def name_of(self, account: str) -> str:
        """Return what ``account`` is called: a symbol, a contract's name, or the address itself."""
        wanted = account.lower()
        for symbol, token in self.tokens.items():
            if token.address.lower() == wanted:
                return symbol
        for name, entry in self.contracts.items():
            if entry.address.lower() == wanted:
                return name
        return NATIVE if wanted == ZERO_ADDRESS else account

    def _native_feed(self) -> str | None:
        wrapped = self.tokens.get("WETH")
        return wrapped.feed if wrapped is not None else None

    def as_mapping(self) -> dict[str, Any]:
        """Return the book as plain data: what ``load_book`` reads."""
        return {
            "chain": self.chain,
            "chain_id": self.chain_id,
            "tokens": {symbol: _without(item, "symbol") for symbol, item in sorted(self.tokens.items())},
            "contracts": {name: _without(item, "name") for name, item in sorted(self.contracts.items())},
        }


def load_book(data: Mapping[str, Any] | str, *, where: str = "the address book") -> AddressBook:
    """Return the book that ``data`` (a mapping, or TOML text) describes.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, a value has the wrong type, or an address its checksum
        wrong; ``where`` names the file.
    """
    try:
        plain = tomllib.loads(data) if isinstance(data, str) else dict(data)
        raw = msgspec.convert(plain, _RawBook)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"{where} can not be read", found=str(error), fix="mend the entry it names"
        ) from error
    return AddressBook(
        chain=raw.chain,
        chain_id=raw.chain_id,
        tokens={
            symbol: msgspec.convert(
                {**msgspec.structs.asdict(item), "symbol": symbol, "address": address(item.address)}, Token
            )
            for symbol, item in raw.tokens.items()
        },
        contracts={
            name: msgspec.convert(
                {**msgspec.structs.asdict(item), "name": name, "address": address(item.address)}, Entry
            )
            for name, item in raw.contracts.items()
        },
    )


def unknown(kind: str, name: str, known: Iterable[str], chain: str) -> NoReturn:
    """Raise the error for a name that does not exist, naming the nearest that does."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    raise ConfigError(
        f"unknown {kind} {name} on {chain}",
        code="ATM111",
        found=name,
        allowed=", ".join(names) if len(names) <= 12 else f"{len(names)} names of the address book",
        fix=f"did you mean {near[0]}?" if near else f"add {name} to the address book of {chain}",
    )


class _RawToken(msgspec.Struct, forbid_unknown_fields=True):
    address: str
    decimals: int
    feed: str | None = None
    code_hash: str = ""
    source: str = ""
    date: str = ""
    confirmed: str = ""


class _RawEntry(msgspec.Struct, forbid_unknown_fields=True):
    address: str
    protocol: str = ""
    code_hash: str = ""
    source: str = ""
    heartbeat_s: int | None = None
    about: dict[str, str] = {}
    date: str = ""
    probe: str = ""
    answer: str = ""
    confirmed: str = ""


class _RawBook(msgspec.Struct, forbid_unknown_fields=True):
    chain: str
    chain_id: int
    tokens: dict[str, _RawToken]
    contracts: dict[str, _RawEntry]


def _without(item: msgspec.Struct, key: str) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(item).items() if name != key}
