"""Functions whose calldata holds other calls: allowing one of them by name would allow anything.

The signer never signs them by (target, selector); only a policy that decodes what is inside may.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.chain import selector

WRAPPERS: Mapping[bytes, str] = {
    selector(signature): signature
    for signature in (
        "multicall(bytes[])",
        "multicall(uint256,bytes[])",
        "multicall(bytes32,bytes[])",
        "multicall(address[],bytes[])",
        "multicall((address,bytes)[])",
        "aggregate((address,bytes)[])",
        "tryAggregate(bool,(address,bytes)[])",
        "blockAndAggregate((address,bytes)[])",
        "tryBlockAndAggregate(bool,(address,bytes)[])",
        "aggregate3((address,bool,bytes)[])",
        "aggregate3Value((address,bool,uint256,bytes)[])",
        "multiSend(bytes)",
        "execute(bytes)",
        "simulate(bytes)",
        "unwind(bytes)",
        "execute(bytes,bytes[])",
        "execute(bytes,bytes[],uint256)",
        "execute(address,uint256,bytes)",
        "execute(address,uint256,bytes,uint8)",
        "execute(bytes32,bytes)",
        "executeBatch(address[],bytes[])",
        "executeBatch(address[],uint256[],bytes[])",
        "executeBatch((address,uint256,bytes)[])",
        "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
        "execTransactionFromModule(address,uint256,bytes,uint8)",
        "execTransactionFromModuleReturnData(address,uint256,bytes,uint8)",
        "execute(address,bytes)",
        "execute((address,uint256,bytes)[])",
        "exec(address,bytes)",
        "functionCall(address,bytes)",
        "functionDelegateCall(address,bytes)",
        "delegatecall(address,bytes)",
        "upgradeToAndCall(address,bytes)",
        "upgradeAndCall(address,address,bytes)",
        "executeTransaction(address,uint256,string,bytes,uint256)",
        "batch(bytes[],bool)",
        "batch((address,address,uint256,bytes)[])",
        "call((address,address,uint256,bytes)[])",
        "schedule(address,uint256,bytes,bytes32,bytes32,uint256)",
        "execute(address,uint256,bytes,bytes32,bytes32)",
        "executeCall(address,uint256,bytes)",
        "forward(address,uint256,bytes)",
        "proxy((uint8,address,uint256,bytes)[])",
        "handleOps((address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes)[],address)",
    )
}
