import tidegate.chain


def test_public_names() -> None:
    assert " ".join(tidegate.chain.__all__) == (
        "NETWORKS PANIC_MEANINGS TRANSITIONS Abi AlreadyKnown BlockReference CallReverted "
        "ChainReads Connection DataFee EventDecoder EventTable FeeHistory FeeMarket FeeQuote Fees "
        "GapPolicy Handover KeyLease Network NetworkKind Parcel RangeTooWide RevertDecoder Sender "
        "SenderSettings SendingChain SimulatedBlock SimulatedCall SimulatedResult State Tracked Transition "
        "Upstream UpstreamRequest Ways Work abi_signature abi_types address block_of block_parameter "
        "call_parameter data_fee_wei decode_output decode_revert demand_gas_limit devnet_network "
        "encode_arguments encode_call event_topic gas_limit_of hex_data integer keccak256 logs_of "
        "mined_logs_of octets price_cap_wei quantity receipt_of selector"
    )
    assert all(hasattr(tidegate.chain, name) for name in tidegate.chain.__all__)
