import tidegate.chain.relays


def test_public_names() -> None:
    assert " ".join(tidegate.chain.relays.__all__) == (
        "BYTES_MAX HEADER TRANSACTIONS_MAX Bundle BundleRelay Dispatch RelayIdentity RelayPlace Supports "
        "asker_of header_of uuid_of"
    )
    assert all(hasattr(tidegate.chain.relays, name) for name in tidegate.chain.relays.__all__)
