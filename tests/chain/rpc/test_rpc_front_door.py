import tidegate.chain.rpc


def test_public_names() -> None:
    assert " ".join(tidegate.chain.rpc.__all__) == (
        "ANY AnyEndpoint Cause Endpoint EndpointReport EndpointState Feature Fresh HeadHint Hint Keep "
        "LogHint LogsFilter Policy PoolEvent Priority Quorum Route RpcGateway RpcPool Subscription "
        "Tier"
    )
    assert all(hasattr(tidegate.chain.rpc, name) for name in tidegate.chain.rpc.__all__)
