#pragma version 0.4.3
"""
@title A contract that does what the attacker wrote down
@license Apache-2.0
@notice Whatever it is called for, it plays its script. It stands in for hostile targets, lenders, hooks, treasuries and
        for a contract that holds a role.
"""

struct Action:
    target: address
    value: uint256
    swallow: bool
    data: Bytes[4800]


script: DynArray[Action, 4]
playing: bool
forbid_eth: bool
outcomes: public(DynArray[bool, 16])
reasons: public(DynArray[Bytes[1152], 16])


@external
@payable
def __default__():
    assert not self.forbid_eth or msg.value == 0, "puppet: no ether"
    # a script that leads back here is played once
    if not self.playing:
        self.playing = True
        for action: Action in self.script:
            self._act(action)
        self.playing = False


@external
def learn(script: DynArray[Action, 4]):
    self.script = script


@external
def refuse_ether(refuse: bool):
    self.forbid_eth = refuse


@external
@payable
def play(actions: DynArray[Action, 4]):
    for action: Action in actions:
        self._act(action)


@external
@view
def all_outcomes() -> DynArray[bool, 16]:
    return self.outcomes


@external
@view
def all_reasons() -> DynArray[Bytes[1152], 16]:
    return self.reasons


@internal
def _act(action: Action):
    success: bool = False
    answer: Bytes[1152] = b""
    success, answer = raw_call(
        action.target, action.data, max_outsize=1152, value=action.value, revert_on_failure=False
    )
    if not success and not action.swallow:
        raw_revert(answer)
    self.outcomes.append(success)
    self.reasons.append(answer)
