// the same bytes again
>> {"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x02f869827a6905808502540be400825208940000000000000000000000000000000000000b0b0180c001a01fd4b9182d4d4e6e2e3e2857432d508522b8526b1a828d2efea859494c912c63a0261d3333ccb6104631c0566ae8757af87b9c42065f298ff36edfb4f63cefc41b"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32003,"message":"transaction already imported"}}
