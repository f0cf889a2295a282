// a nonce below the account's
>> {"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x02f869827a6980808502540be400825208940000000000000000000000000000000000000b0b0180c080a06735a79ce33698bff6f6fe58ccc164e8457edacc136a266ef6bbe29534f8f772a0133c09351624b8f0654b39ab8178619173fed3480e7a911016fefe8dd10e3b4e"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32003,"message":"nonce too low"}}
