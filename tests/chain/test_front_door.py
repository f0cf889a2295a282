import tidegate.chain


def test_public_names() -> None:
    assert " ".join(tidegate.chain.__all__) == (
        "NETWORKS PANIC_MEANINGS Abi AlreadyKnown BlockReference CallReverted ChainClient ChainReads "
        "Connection DataFee FeeHistory Network NetworkKind RangeTooWide RevertDecoder SimulatedBlock "
        "SimulatedCall SimulatedResult abi_signature abi_types address block_of block_parameter "
        "call_parameter decode_output decode_revert devnet_network encode_arguments encode_call "
        "event_topic hex_data integer keccak256 logs_of mined_logs_of octets quantity receipt_of "
        "selector"
    )
    assert all(hasattr(tidegate.chain, name) for name in tidegate.chain.__all__)
