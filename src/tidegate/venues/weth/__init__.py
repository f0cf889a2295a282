"""WETH9: ether as a token. Pure adapter: states come in, calls go out; may be used by every room above."""

from tidegate.venues.weth import events
from tidegate.venues.weth.deploy import deploy_weth, wrap

__all__ = ["deploy_weth", "events", "wrap"]
