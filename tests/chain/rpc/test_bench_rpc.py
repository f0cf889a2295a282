"""``tidegate bench rpc`` measures what the specification names; its figures are for quiet machines."""

from bench import rpc


def test_the_benchmark_has_its_fields_and_loses_no_read():
    result = rpc.run(rounds=1, share=0.03)
    assert result["failover_lost"] == 0, "two of three nodes died"
    for figure in ("requests_s", "p99_ms", "peer_requests_s", "ratio_at"):
        assert list(result[figure]) == ["1", "20", "100"]
        assert all(value > 0 for value in result[figure].values())
    assert result["ratio"] == result["ratio_at"]["20"]
    assert result["web3_requests_s"] > 0
    assert result["ratio_web3"] > 0
