// a fee cap below the base fee
>> {"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x02f864827a69068001825208940000000000000000000000000000000000000b0b0180c080a04734c65056f7e756a0c35146396b84636517963ac5704ca4517fcc86c489f65da01ac45f23d23652b2e47d989386c39e629b299dcdfc29ac109cfa347e32df673a"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32003,"message":"max fee per gas less than block base fee"}}
