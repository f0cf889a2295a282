// less gas than a transfer takes
>> {"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x02f869827a6906808502540be400824e20940000000000000000000000000000000000000b0b0180c080a02d6b8c82196c7fa2a405f61aa42e9aa6e90005dbb8b4126861234f2cb3f5bae5a04f6650f31c8d4a4d0184e1d47488412b65be841e58b87967b7b099e6117ddc67"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"intrinsic gas too low"}}
