// more than the account has
>> {"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x02f872827a6906808502540be400825208940000000000000000000000000000000000000b0b89056bc75e2d6310000080c001a0129ec66c52bedaf15cab7894803704225f1f0a13377f3f4221ef9d398edd941aa03a4e9e7181e34fb16c68beb637138e67efc5e3d44d5e130e276de6965298d80c"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32003,"message":"Insufficient funds for gas * price + value"}}
