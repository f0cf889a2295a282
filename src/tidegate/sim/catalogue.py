"""Which contracts are taken from which npm package: name, package, path of the artifact in it.

The names are the contracts' own. One more contract is one more line; versions are pinned by
``package-lock.json``. A package that ships sources alone is named by the source (``.sol``), and compiled.
"""

from __future__ import annotations

_AAVE = "@aave/core-v3"
_BALANCER = "@balancer-labs/v2-deployments"
_SAFE = "@safe-global/safe-contracts"
_V3_CORE = "@uniswap/v3-core"
_V3_PERIPHERY = "@uniswap/v3-periphery"

_AAVE_PATHS = {
    "AaveOracle": "misc/AaveOracle",
    "AaveProtocolDataProvider": "misc/AaveProtocolDataProvider",
    "ACLManager": "protocol/configuration/ACLManager",
    "AToken": "protocol/tokenization/AToken",
    "BorrowLogic": "protocol/libraries/logic/BorrowLogic",
    "BridgeLogic": "protocol/libraries/logic/BridgeLogic",
    "ConfiguratorLogic": "protocol/libraries/logic/ConfiguratorLogic",
    "DefaultReserveInterestRateStrategy": "protocol/pool/DefaultReserveInterestRateStrategy",
    "EModeLogic": "protocol/libraries/logic/EModeLogic",
    "FlashLoanLogic": "protocol/libraries/logic/FlashLoanLogic",
    "LiquidationLogic": "protocol/libraries/logic/LiquidationLogic",
    "Pool": "protocol/pool/Pool",
    "PoolAddressesProvider": "protocol/configuration/PoolAddressesProvider",
    "PoolAddressesProviderRegistry": "protocol/configuration/PoolAddressesProviderRegistry",
    "PoolConfigurator": "protocol/pool/PoolConfigurator",
    "PoolLogic": "protocol/libraries/logic/PoolLogic",
    "PriceOracleSentinel": "protocol/configuration/PriceOracleSentinel",
    "ReservesSetupHelper": "deployments/ReservesSetupHelper",
    "StableDebtToken": "protocol/tokenization/StableDebtToken",
    "SupplyLogic": "protocol/libraries/logic/SupplyLogic",
    "VariableDebtToken": "protocol/tokenization/VariableDebtToken",
}

_BALANCER_PATHS = {
    "Authorizer": "20210418-authorizer/artifact/Authorizer",
    "Vault": "20210418-vault/artifact/Vault",
    "WeightedPoolFactory": "deprecated/20210418-weighted-pool/artifact/WeightedPoolFactory",
}
"""The tasks by which Balancer v2 was put on its chains; the pool factory is the first and smallest."""

_SAFE_PATHS = {
    "CompatibilityFallbackHandler": "handler/CompatibilityFallbackHandler",
    "CreateCall": "libraries/CreateCall",
    "MultiSend": "libraries/MultiSend",
    "MultiSendCallOnly": "libraries/MultiSendCallOnly",
    "Safe": "Safe",
    "SafeL2": "SafeL2",
    "SafeProxy": "proxies/SafeProxy",
    "SafeProxyFactory": "proxies/SafeProxyFactory",
    "SignMessageLib": "libraries/SignMessageLib",
    "SimulateTxAccessor": "accessors/SimulateTxAccessor",
}

_V3_PERIPHERY_PATHS = {
    "NFTDescriptor": "libraries/NFTDescriptor",
    "NonfungiblePositionManager": "NonfungiblePositionManager",
    "NonfungibleTokenPositionDescriptor": "NonfungibleTokenPositionDescriptor",
    "QuoterV2": "lens/QuoterV2",
    "SwapRouter": "SwapRouter",
    "TickLens": "lens/TickLens",
}


def _hardhat(root: str, path: str) -> str:
    return f"{root}/contracts/{path}.sol/{path.rpartition('/')[2]}.json"


CATALOGUE: dict[str, tuple[str, str]] = {
    "WETH9": ("canonical-weth", "build/contracts/WETH9.json"),
    "UniswapV2Factory": ("@uniswap/v2-core", "build/UniswapV2Factory.json"),
    "UniswapV2Pair": ("@uniswap/v2-core", "build/UniswapV2Pair.json"),
    "UniswapV2Router02": ("@uniswap/v2-periphery", "build/UniswapV2Router02.json"),
    "UniswapV3Factory": (_V3_CORE, _hardhat("artifacts", "UniswapV3Factory")),
    "UniswapV3Pool": (_V3_CORE, _hardhat("artifacts", "UniswapV3Pool")),
    "Morpho": ("@morpho-org/morpho-blue", "src/Morpho.sol"),
    "SwapRouter02": ("@uniswap/swap-router-contracts", _hardhat("artifacts", "SwapRouter02")),
    "InitializableImmutableAdminUpgradeabilityProxy": (
        _AAVE,
        _hardhat(
            "artifacts",
            "protocol/libraries/aave-upgradeability/InitializableImmutableAdminUpgradeabilityProxy",
        ),
    ),
    **{name: (_V3_PERIPHERY, _hardhat("artifacts", path)) for name, path in _V3_PERIPHERY_PATHS.items()},
    **{name: (_AAVE, _hardhat("artifacts", path)) for name, path in _AAVE_PATHS.items()},
    **{name: (_BALANCER, f"dist/tasks/{path}.json") for name, path in _BALANCER_PATHS.items()},
    **{name: (_SAFE, _hardhat("build/artifacts", path)) for name, path in _SAFE_PATHS.items()},
}
