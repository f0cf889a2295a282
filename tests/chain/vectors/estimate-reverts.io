// no gas limit is enough
>> {"jsonrpc":"2.0","id":1,"method":"eth_estimateGas","params":[{"from":"0x5CbDd86a2FA8Dc4bDdd8a8f69dBa48572EeC07FB","to":"0x15938bDEbFB17AFF9a6738fDbbBc439334e8Dcf0"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted: custom error 0xdeadbeef","data":"0xdeadbeef"}}
