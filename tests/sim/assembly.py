"""Small contracts by hand, for what no compiler should stand between."""

from tidegate.chain import address

ALICE = address(0xA11CE)
BOB = address(0xB0B)
ETHER = 10**18


def initcode(runtime: bytes) -> bytes:
    """Return initcode that deploys ``runtime`` as it is."""
    length = len(runtime).to_bytes(2, "big")
    return b"\x61" + length + bytes.fromhex("600e6000 39 61") + length + bytes.fromhex("6000f3") + runtime


def returning(opcode: str) -> bytes:
    """Return code that answers with what an opcode without arguments gives."""
    return bytes.fromhex(opcode + "5f5260205ff3")


# slot 0 += 1; returns it
COUNTER = bytes.fromhex("5f54600101805f555f5260205ff3")
# transient slot 0 += 1; returns it
TRANSIENT_COUNTER = bytes.fromhex("5f5c600101805f5d5f5260205ff3")
# slot 0 += 1 and then reverts with 0xdeadbeef
WRITES_AND_REVERTS = bytes.fromhex("5f546001015f5563deadbeef60e01b5f5260045ffd")
# LOG2(data = 32 bytes of 7, topics 1 and 2)
LOGS = bytes.fromhex("60075f526002600160205fa200")
# CREATE with empty initcode; returns the address
CREATES = bytes.fromhex("5f5f5ff05f5260205ff3")
# SELFDESTRUCT to address 1
DESTROYS_ITSELF = bytes.fromhex("6001ff")
LOOPS = bytes.fromhex("5b5f56")
INVALID = b"\xfe"


def number(output: bytes) -> int:
    """Return the word that a call answered with."""
    assert len(output) == 32
    return int.from_bytes(output, "big")
