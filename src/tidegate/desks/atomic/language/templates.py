"""The strategies that ship, as files that an author copies and changes."""

from __future__ import annotations

from importlib import resources

from tidegate.desks.atomic.language.findings import did_you_mean
from tidegate.model import ConfigError

TEMPLATES: dict[str, tuple[str, str]] = {
    "flash-arb": ("v2-v3-arb", "flash loan, sell on Uniswap v2, buy on v3, size found by search"),
    "flash-arb-reverse": ("v3-v2-arb", "flash loan, sell on Uniswap v3, buy on v2, size found by search"),
    "triangle": ("triangle", "flash loan through three swaps, size found by search"),
    "flash-mint": ("flash-mint", "a round trip on money minted for nothing by an ERC-3156 lender"),
    "leverage-open": ("leverage-open", "open a leveraged Aave position in one transaction"),
    "leverage-close": ("leverage-close", "close a leveraged Aave position in one transaction"),
    "collateral-swap": ("collateral-swap", "change the collateral under a debt, the debt untouched"),
    "debt-swap": ("debt-swap", "move a position from one Aave market to another"),
    "deleverage": ("deleverage", "sell collateral against debt when the health factor falls"),
    "funds-swap": ("funds-swap", "swap funds of the executor at two venues, without a loan"),
    "dust-sweep": ("dust-sweep", "send what is left over in the executor to the treasury"),
}
"""For each template, the strategy's own name and what it does."""


def template_text(template: str) -> str:
    """Return the file of a template, as it ships.

    Raises
    ------
    ConfigError
        If there is no such template; the nearest is named.
    """
    if template not in TEMPLATES:
        raise ConfigError(
            f"there is no template {template}",
            found=template,
            allowed=", ".join(TEMPLATES),
            fix=did_you_mean(template, TEMPLATES, "take one of these"),
        )
    file = resources.files("tidegate.desks.atomic.language") / "templates" / f"{TEMPLATES[template][0]}.yaml"
    return file.read_text("utf-8")


def new_strategy(name: str, template: str) -> str:
    """Return the text of a new strategy called ``name``: the template under its new name."""
    shipped = TEMPLATES.get(template, ("", ""))[0]
    return template_text(template).replace(f"\nname: {shipped}\n", f"\nname: {name}\n", 1)
