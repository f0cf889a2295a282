// a parameter of the wrong type
>> {"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["not an address","latest"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid string length"}}
