// an invalid opcode
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x2e01Fc6f90c2d995759bdF3bFD69c5E991CABb18"},"latest"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"EVM error InvalidFEOpcode"}}
