import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.chain import (
    abi_signature,
    abi_types,
    address,
    decode_output,
    encode_arguments,
    encode_call,
    event_topic,
    keccak256,
    selector,
)
from tidegate.model import ZERO_ADDRESS, ConfigError, Divergence

# Examples of EIP-55.
CHECKSUMMED = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
]


@pytest.mark.parametrize("text", CHECKSUMMED)
def test_addresses_get_the_checksum_of_eip_55(text):
    digits = text[2:]
    for value in (text, digits, text.lower(), "0x" + digits.upper(), bytes.fromhex(digits), int(text, 16)):
        assert address(value) == text
    assert address(bytes(12) + bytes.fromhex(digits)) == text
    assert address(0) == ZERO_ADDRESS


@pytest.mark.parametrize("text", CHECKSUMMED[:4])
def test_one_wrong_letter_case_is_refused_and_the_right_one_shown(text):
    wrong = text[:5] + text[5:].swapcase()
    with pytest.raises(ConfigError) as caught:
        address(wrong)
    assert caught.value.code == "address_checksum"
    assert text in caught.value.allowed


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0x",
        "0x12",
        "vitalik.eth",
        "0x" + "g" * 40,
        "0x" + "1" * 41,
        b"",
        bytes(19),
        bytes(21),
        b"\x01" * 32,
        1 << 160,
        -1,
    ],
)
def test_what_is_no_address_is_refused(value):
    with pytest.raises(ConfigError) as caught:
        address(value)
    assert caught.value.code == "address"


def test_known_hashes():
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert selector("transfer(address,uint256)").hex() == "a9059cbb"
    assert (
        selector("exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))").hex()
        == "04e45aaf"
    )
    assert selector("f()").hex() == "26121ff0"
    transfer = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    assert event_topic("Transfer(address,address,uint256)").hex() == transfer


def test_a_call_is_selector_and_arguments():
    to = address(0xB0B)
    expected = "a9059cbb" + f"{0xB0B:064x}" + f"{5:064x}"
    assert encode_call("transfer(address,uint256)", to, 5).hex() == expected
    assert encode_call("pause()") == selector("pause()")


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "f",
        "f(",
        "f(uint)",
        "f(uint256, address)",
        "f(uint256 amount)",
        "f(uint7)",
        "f(foo)",
        "(uint256)",
        "f()()",
        "1f()",
    ],
)
def test_signatures_that_would_hash_to_something_else_are_refused(signature):
    for use in (selector, event_topic, encode_call):
        with pytest.raises(ConfigError) as caught:
            use(signature)
        assert caught.value.code == "signature"


@pytest.mark.parametrize(
    ("signature", "arguments"),
    [
        ("f(uint8)", [256]),
        ("f(uint8)", [-1]),
        ("f(address)", ["0x12"]),
        ("f(uint256)", []),
        ("f(uint256)", [1, 2]),
        ("f(bytes4)", [b"12345"]),
        ("f(uint256)", [1.5]),
        ("f((uint256,address))", [(1,)]),
    ],
)
def test_arguments_that_do_not_fit_are_refused(signature, arguments):
    with pytest.raises(ConfigError) as caught:
        encode_call(signature, *arguments)
    assert caught.value.code == "abi"


@given(st.lists(st.tuples(st.integers(0, 2**160 - 1), st.integers(0, 2**256 - 1))), st.binary(), st.text())
def test_decoding_is_the_inverse_of_encoding(pairs, blob, text):
    types = ("(address,uint256)[]", "bytes", "string")
    values = (tuple((address(who), amount) for who, amount in pairs), blob, text)
    assert decode_output(types, encode_arguments(types, values)) == values


def test_addresses_come_out_checksummed_however_deep():
    types = ("address[2][]", "(uint256,(address,bool))")
    who = address(CHECKSUMMED[0])
    found = decode_output(types, encode_arguments(types, ([[who, who]], (1, (who, True)))))
    assert found == (((who, who),), (1, (who, True)))


@pytest.mark.parametrize("data", [b"", bytes(31), b"\xff" * 32])
def test_an_answer_that_is_no_encoding_is_a_divergence(data):
    with pytest.raises(Divergence) as caught:
        decode_output(("address",), data)
    assert f"{len(data)} bytes" in caught.value.found


def test_abi_entries_have_canonical_signatures():
    entry = {
        "name": "swap",
        "inputs": [
            {
                "type": "tuple[]",
                "components": [{"type": "address"}, {"type": "tuple", "components": [{"type": "bool"}]}],
            },
            {"type": "uint256"},
        ],
    }
    assert abi_signature(entry) == "swap((address,(bool))[],uint256)"
    assert abi_types(entry["inputs"]) == ("(address,(bool))[]", "uint256")
    assert abi_signature({"name": "f"}) == "f()"


@pytest.mark.parametrize(
    "call", [lambda: encode_arguments("uint256", [100]), lambda: decode_output("uint256", bytes(32))]
)
def test_a_text_is_no_list_of_types(call):
    with pytest.raises(ConfigError, match="types are given as a sequence") as caught:
        call()
    assert (caught.value.found, caught.value.allowed) == ("'uint256'", "such as ['uint256']")
