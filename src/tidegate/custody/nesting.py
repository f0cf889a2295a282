"""How deep JSON and msgpack of others may nest, asked before anything decodes them.

Decoders follow nesting on the C stack. Some tens of thousands of brackets, which fit one frame, end
the process instead of raising an error; so the brackets are counted first.
"""

from __future__ import annotations

import re

DEPTH_MAX = 64

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def is_shallow(raw: bytes) -> bool:
    """Say whether JSON text nests at most ``DEPTH_MAX`` deep; brackets inside of text do not count."""
    depth = 0
    for bracket in _BRACKET.findall(_TEXT.sub(b"", raw)):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEPTH_MAX:
            return False
    return True
