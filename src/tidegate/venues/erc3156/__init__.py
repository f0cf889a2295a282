"""Flash lenders of the ERC-3156 interface. Pure adapter: states come in, calls go out."""

from tidegate.venues.erc3156.deploy import deploy_erc3156_lender, list_token

__all__ = ["deploy_erc3156_lender", "list_token"]
