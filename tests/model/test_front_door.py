import tidegate.model


def test_public_names() -> None:
    assert " ".join(tidegate.model.__all__) == (
        "BPS DURABLE_KINDS SIGNER_UNREACHED UINT256_MAX ZERO_ADDRESS Address Ambiguous Block Bound "
        "Clock ConfigError Denied Divergence Exposure GuardResult Halted Intent Log ManualClock Metric "
        "MetricKind NullRecorder Operation Outcome OutcomeKind Placement Plan Probe Reason Receipt "
        "RecordKind Recorder Rejected Revert Route Sending SignedTransaction Simulation SourcePosition "
        "Stage Step SystemClock Tampered TidegateError TransactionSigner Unavailable UnsignedTransaction "
        "canonical_json digest format_units format_usd maximum_in minimum_out mul_div_down mul_div_up "
        "sha256_hex"
    )
