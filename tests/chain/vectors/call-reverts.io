// custom revert data
>> {"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x15938bDEbFB17AFF9a6738fDbbBc439334e8Dcf0"},"latest"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted: custom error 0xdeadbeef","data":"0xdeadbeef"}}
