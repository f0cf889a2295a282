#pragma version 0.4.3
#pragma evm-version cancun
#pragma optimize gas
"""
@title A multicall as the ABI would have it
@license Apache-2.0
@notice The road not taken: a typed array reserves memory for its largest value.
"""


struct Step:
    target: address
    data: Bytes[1024]


@external
def run(steps: DynArray[Step, 255]):
    for step: Step in steps:
        raw_call(step.target, step.data)
