// a span upside down
>> {"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"fromBlock":"0x3","toBlock":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"result":[]}
