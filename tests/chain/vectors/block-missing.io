// a number that is not there yet
>> {"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x3e7",false]}
<< {"jsonrpc":"2.0","id":1,"result":null}
