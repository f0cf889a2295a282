// state that is not there
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0xCF23E7Ac4477F4D7b93FeA8512afbC21F532Dcc6"},"0x3e7"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"BlockOutOfRangeError: block height is 4 but requested was 999"}}
