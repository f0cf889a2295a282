from bench.simulate import run


def test_the_benchmark_measures_worlds_that_agree():
    figures = run(rounds=1, calls=2)
    assert figures["name"] == "simulate"
    for name in ("ratio", "simulations_s", "raw_pyrevm_s", "times_eth_call", "exact_ms", "reverting_ratio"):
        assert figures[name] > 0
