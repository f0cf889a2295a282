// same nonce, same fee
>> {"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x02f869827a6905808502540be400825208940000000000000000000000000000000000000b0b0280c080a0d4c8d0f9a414ab16c1761f5bb36c95ba3cfa2513b4783234f97181a9c8d90e11a0202b0b61d59ef40eece312f84ea3128cf182663928cdf2ca4317ffc99773d753"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32003,"message":"replacement transaction underpriced"}}
