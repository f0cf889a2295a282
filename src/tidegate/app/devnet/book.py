"""The address book that a devnet writes about itself: names, addresses, code hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from tidegate.app.devnet.devnet import Devnet
from tidegate.chain import keccak256
from tidegate.model import Address
from tidegate.venues import EDITION, AddressBook, Entry, Token, edition_of

SOURCE = "devnet"


class CodeReader(Protocol):
    """Whatever can say which code stands at an address: every world can."""

    def code(self, account: Address) -> bytes:
        """Return an account's runtime code, empty where there is none."""
        ...


def address_book(devnet: Devnet, view: CodeReader) -> AddressBook:
    """Return the devnet's book, with the hash of the code that stands at each address in ``view``."""
    symbols = {token.address: symbol for symbol, token in devnet.tokens.items()}
    contracts = {}
    for name, where, about in _contracts(devnet, symbols):
        code = view.code(where)
        edition = edition_of(name, code)
        contracts[name] = Entry(
            name=name,
            address=where,
            protocol=name.partition(".")[0],
            code_hash=keccak256(code).hex() if code else "",
            source=SOURCE,
            heartbeat_s=devnet.feeds[name[5:]].heartbeat_s if name.startswith("feed.") else None,
            about={**about, EDITION: edition} if edition else dict(about),
        )
    return AddressBook(
        chain=devnet.chain,
        chain_id=devnet.chain_id,
        tokens={
            symbol: Token(
                symbol,
                token.address,
                token.decimals,
                f"feed.{devnet.token_feeds[symbol]}",
                code_hash=keccak256(view.code(token.address)).hex(),
                source=SOURCE,
            )
            for symbol, token in devnet.tokens.items()
        },
        contracts=contracts,
    )


def _contracts(
    devnet: Devnet, symbols: Mapping[Address, str]
) -> Iterator[tuple[str, Address, Mapping[str, str]]]:
    yield "weth.weth9", devnet.weth, {}
    yield "executor.main1", devnet.executor, _main(devnet)
    yield "guard_lens", devnet.guard_lens, {}
    yield "erc3156.lender", devnet.erc3156_lender, {}
    yield "morpho_blue.morpho", devnet.morpho_blue.morpho, {}
    for field in ("vault", "authorizer", "fees_collector", "pool_factory"):
        yield f"balancer_v2.{field}", getattr(devnet.balancer_v2, field), {}
    for even in devnet.balancer_pools:
        about = {"pool_id": f"0x{even.pool_id.hex()}"}
        yield f"balancer_v2.pool.{'/'.join(symbols[token] for token in even.tokens)}", even.address, about
    yield "treasury", devnet.accounts["treasury"], {}
    for pair, feed in devnet.feeds.items():
        yield f"feed.{pair}", feed.address, {"decimals": str(feed.decimals)}
    for field in ("factory", "router"):
        yield f"uniswap_v2.{field}", getattr(devnet.uniswap_v2, field), {}
    for item in devnet.uniswap_v2_pairs:
        names = symbols[item.token0], symbols[item.token1]
        about = {"token0": item.token0, "token1": item.token1}
        yield f"uniswap_v2.pair.{'/'.join(names)}", item.address, about
    for field in ("factory", "router", "router02", "quoter", "position_manager", "tick_lens"):
        yield f"uniswap_v3.{field}", getattr(devnet.uniswap_v3, field), {}
    for pool in devnet.uniswap_v3_pools:
        names = symbols[pool.token0], symbols[pool.token1]
        about = {"token0": pool.token0, "token1": pool.token1}
        with_fee = {**about, "fee": str(pool.fee)}
        yield f"uniswap_v3.pool.{'/'.join(names)}.{pool.fee}", pool.address, with_fee
    for field in ("pool", "provider", "configurator", "oracle", "data_provider", "acl_manager"):
        yield f"aave_v3.{field}", getattr(devnet.aave_v3, field), {}
        yield f"aave_v3.prime.{field}", getattr(devnet.aave_v3_prime, field), {}
    for field in ("singleton", "proxy_factory", "fallback_handler", "multi_send_call_only"):
        yield f"safe.{field}", getattr(devnet.safe, field), {}
    yield "safe.owner", devnet.owner_safe.address, {"threshold": str(devnet.owner_safe.threshold)}


def _main(devnet: Devnet) -> dict[str, str]:
    """Return who owns the devnet's executor and holds its roles, as it was built."""
    return {
        "desk": "atomic",
        "owner": devnet.owner_safe.address,
        "treasury": devnet.accounts["treasury"],
        "weth": devnet.weth,
        "delay_s": "0",
        "guardians": devnet.accounts["guardian"],
        "operators": devnet.accounts["operator"],
    }
