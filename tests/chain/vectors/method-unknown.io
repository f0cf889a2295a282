// a method that no node has
>> {"jsonrpc":"2.0","id":1,"method":"eth_tidegate","params":[]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}
