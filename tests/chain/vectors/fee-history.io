// base fees and rewards
>> {"jsonrpc":"2.0","id":1,"method":"eth_feeHistory","params":["0x3","latest",[60]]}
<< {"jsonrpc":"2.0","id":1,"result":{"baseFeePerGas":["0x0","0x0","0x0","0x0"],"gasUsedRatio":[0.0019246666666666668,0.0017806,0.0007467666666666667],"baseFeePerBlobGas":["0x1","0x1","0x1","0x1"],"blobGasUsedRatio":[0.0,0.0,0.0],"oldestBlock":"0x2","reward":[["0x0"],["0x0"],["0x0"]]}}
