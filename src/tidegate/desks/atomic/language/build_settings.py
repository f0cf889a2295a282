"""What surrounds the steps: addresses, trigger, gas, bounds, limits, relay."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.chain import address
from tidegate.desks.atomic.language.cron import parse_cron, time_zone
from tidegate.desks.atomic.language.document import Content, Decimal, Scalar, Table
from tidegate.desks.atomic.language.findings import Finding, did_you_mean
from tidegate.desks.atomic.language.quantities import number_literal, parse_quantity, ratio_e18
from tidegate.desks.atomic.language.reading import Keys, Reading
from tidegate.desks.atomic.language.settings_names import CHAINLINK, HEALTH_PROTOCOLS, POOLS
from tidegate.desks.atomic.language.syntax import (
    AddressEntry,
    Bound,
    CombinedTrigger,
    Cooldown,
    EveryBlock,
    Gas,
    HealthFactorTrigger,
    Limits,
    Literal,
    ManualTrigger,
    PriceTrigger,
    Relay,
    ScheduleTrigger,
    Trigger,
    Unit,
)
from tidegate.model import BPS, UINT256_MAX, ZERO_ADDRESS, ConfigError, SourcePosition

GWEI = 10**9
HOUR_S = 3_600
DAY_S = 86_400
_BUNDLE_CHAINS = ("ethereum", "sepolia", "devnet")
_BUNDLES_BY_DEFAULT = ("ethereum", "sepolia")


def build_addresses(keys: Keys) -> Mapping[str, AddressEntry]:
    """Return the file's names for addresses."""
    entries: dict[str, AddressEntry] = {}
    for name, content in keys.table.entries.items():
        if isinstance(content, Table):
            raw = Keys(content, keys.reading)
            entries[name] = AddressEntry(
                position=content.position, value_positions=raw.places(), name=name,
                address=raw.text("address"), source=raw.text("source"),
            )  # fmt: skip
            _check_address(raw)
        else:
            entries[name] = AddressEntry(position=content.position, name=name, book_name=keys.text(name))
    return entries


def _check_address(raw: Keys) -> None:
    where = raw.scalar("address").position
    try:
        account = address(raw.text("address"))
    except ConfigError as error:
        raw.reading.findings.append(Finding.of(error, where, code="ATM112"))
        return
    if account == ZERO_ADDRESS:
        raw.reading.report("ATM112", where, "nothing stands at the zero address", account,
                           "the address of a contract", "write where it is")  # fmt: skip


def build_gas(keys: Keys) -> Gas:
    """Return the gas block."""
    fee_range = "0.001 to 5,000 gwei"
    return Gas(
        position=keys.table.position,
        value_positions=keys.places(),
        max_gas=keys.whole("max_gas", 0),
        max_base_fee_wei=keys.measure("max_base_fee", 0, GWEI // 1000, 5_000 * GWEI, fee_range),
        priority_fee_wei=keys.measure("priority_fee", 0, 0, 5_000 * GWEI, "0 to 5,000 gwei"),
        margin_bps=keys.measure("margin", 1_500, 500, 5_000, "5 to 50 %"),
    )


def build_bounds(items: tuple[Content, ...], reading: Reading) -> tuple[Bound, ...]:
    """Return the balance lines; a token that has two is an error."""
    bounds: list[Bound] = []
    for item in items:
        assert isinstance(item, Table)
        keys = Keys(item, reading)
        token = reading.token(keys.scalar("token"))
        if any(token == bound.token for bound in bounds):
            reading.report(
                "ATM002", item.position, f"{token} has two bounds", token, "one bound a token", "merge them"
            )
        bounds.append(
            Bound(
                position=item.position,
                value_positions=keys.places(),
                token=token,
                minimum=_bound_minimum(keys, token),
                net_of_gas=keys.flag("net_of_gas", otherwise=False),
                payout=keys.flag("payout", otherwise=False),
            )
        )
    return tuple(bounds)


def _bound_minimum(keys: Keys, token: str) -> int:
    if not keys.has("min"):
        return 0
    scalar = keys.scalar("min")
    literal = keys.reading.quantity(scalar)
    if literal.unit not in {Unit.TOKEN, Unit.INTEGER} or literal.token not in {token, None}:
        keys.reading.report(
            "ATM112", scalar.position, f"the bound of {token} is not an amount of {token}", scalar.text,
            f"an amount of {token}, such as 0.01 {token}", f"write it in {token}",
        )  # fmt: skip
    return literal.base_units


def build_limits(keys: Keys) -> Limits:
    """Return the limits over time."""
    return Limits(
        position=keys.table.position,
        value_positions=keys.places(),
        max_runs_per_hour=keys.whole("max_runs_per_hour", 60),
        max_loss_per_day_usd_e6=keys.measure(
            "max_loss_per_day", 100_000_000, 0, UINT256_MAX, "at least 0 USD"
        ),
        max_in_flight=keys.whole("max_in_flight", 1),
    )


def build_relay(keys: Keys, chain: str) -> Relay:
    """Return the relay block; bundles where nobody takes them, and unasked-for publicity, are refused."""
    order = keys.texts("order")
    allow_public = keys.flag("allow_public", otherwise=False)
    where = keys.places().get("order", keys.table.position)
    if "bundle" in order and chain not in _BUNDLE_CHAINS:
        keys.reading.report(
            "ATM002", where, f"no builder takes bundles on {chain}", "bundle",
            f"bundle on {', '.join(_BUNDLE_CHAINS)} only", "remove bundle",
        )  # fmt: skip
    if "public" in order and not allow_public:
        keys.reading.report(
            "ATM002", where, "the public mempool must be asked for", "public without allow_public",
            "allow_public: true beside it", "remove public, or allow it",
        )  # fmt: skip
    return Relay(
        position=keys.table.position,
        value_positions=keys.places(),
        order=order or default_order(chain),
        blocks=keys.whole("blocks", 3),
        builders=keys.texts("builders"),
        allow_public=allow_public,
    )


def default_order(chain: str) -> tuple[str, ...]:
    """Return the order of relays when the file says nothing."""
    return ("bundle", "private") if chain in _BUNDLES_BY_DEFAULT else ("private",)


def build_trigger(keys: Keys) -> tuple[Trigger, Cooldown]:
    """Return the trigger and the cooldown that stands beside it."""
    return _trigger(keys), _cooldown(keys)


def _cooldown(keys: Keys) -> Cooldown:
    if not keys.has("cooldown"):
        return Cooldown()
    allowed = "0 to 30 days"
    amount = keys.measure("cooldown", 1, 0, 30 * DAY_S, allowed)
    is_blocks = keys.text("cooldown").endswith(("block", "blocks"))
    return Cooldown(blocks=amount, seconds=0) if is_blocks else Cooldown(blocks=0, seconds=amount)


def _trigger(keys: Keys) -> Trigger:
    name = next(key for key in keys.table.entries if key != "cooldown")
    where, content = keys.table.key_positions[name], keys.table.entries[name]
    if not isinstance(content, Table):
        inner = tuple(_nested(item, keys.reading) for item in keys.items(name))
        return CombinedTrigger(position=where, every=name == "all", triggers=inner)
    inside = keys.keys(name)
    match name:
        case "every_block":
            return EveryBlock(position=where, interval=inside.whole("interval", 1))
        case "price":
            return _price(inside, where)
        case "schedule":
            return _schedule(inside, where)
        case "health_factor":
            _known_word(inside, "protocol", HEALTH_PROTOCOLS)
            comparison = "above" if inside.has("above") else "below"
            return HealthFactorTrigger(
                position=where,
                protocol=inside.text("protocol"),
                user=inside.text("user"),
                comparison=comparison,
                level_e18=_health_factor(inside, comparison),
            )
        case _:
            return ManualTrigger(position=where)


def _nested(content: Content, reading: Reading) -> Trigger:
    assert isinstance(content, Table)
    return _trigger(Keys(content, reading))


def _schedule(keys: Keys, where: SourcePosition) -> ScheduleTrigger:
    schedule = ScheduleTrigger(position=where, cron=keys.text("cron"), tz=keys.text("tz", "UTC"))
    for key, check in (("cron", lambda: parse_cron(schedule.cron)), ("tz", lambda: time_zone(schedule.tz))):
        place = keys.scalar(key).position if keys.has(key) else where
        try:
            check()
        except ConfigError as error:
            keys.reading.findings.append(Finding.of(error, place))
    return schedule


def _known_word(keys: Keys, key: str, known: tuple[str, ...]) -> None:
    """Report a word that is none of ``known``; one that ends with a dot stands for what begins with it."""
    text = keys.text(key)
    if not any(text == item or (item.endswith(".") and text.startswith(item)) for item in known):
        keys.reading.report(
            "ATM111", keys.scalar(key).position, f"{key} is not known", text,
            " or ".join(f"{item}<pair>.<fee>" if item.endswith(".") else item for item in known),
            did_you_mean(text, known, "take one of these"),
        )  # fmt: skip


def _price(keys: Keys, where: SourcePosition) -> PriceTrigger:
    comparison = next(key for key in ("above", "below", "crosses") if keys.has(key))
    first, second = keys.text("pair").split("/")
    for token in (first, second):
        if token not in keys.reading.decimals_of:
            keys.reading.unknown_token(token, keys.scalar("pair").position)
    _known_word(keys, "source", (CHAINLINK, POOLS))
    scalar = keys.scalar(comparison)
    zero = Literal(0, Unit.INTEGER, None, scalar.position)
    level = keys.reading.attempt(
        lambda: parse_quantity(scalar.text, keys.reading.decimals_of, scalar.position), zero, scalar.position
    )
    if level is not zero and (level.token != second or level.base_units <= 0):
        keys.reading.report(
            "ATM112", scalar.position, f"the price of {first} is not an amount of {second}", scalar.text,
            f"an amount above 0 in {second}", f"write it in {second}",
        )  # fmt: skip
    return PriceTrigger(
        position=where,
        pair=keys.text("pair"),
        source=keys.text("source"),
        comparison=comparison,
        level=level.base_units,
        hysteresis_bps=keys.measure("hysteresis", 10, 0, BPS, "0 to 100 %"),
    )


def _health_factor(keys: Keys, key: str) -> int:
    scalar: Scalar = keys.scalar(key)
    assert isinstance(scalar.value, int | Decimal)
    before = Literal(0, Unit.RATIO_E18, None, scalar.position)
    level = ratio_e18(keys.reading.attempt(lambda: number_literal(scalar), before, scalar.position)) or 0
    if level <= 0:
        keys.reading.report(
            "ATM002", scalar.position, "a health factor is above 0", scalar.text, "above 0", "such as 1.25"
        )
    return level
