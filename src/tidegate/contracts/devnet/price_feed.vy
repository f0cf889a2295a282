# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# pragma nonreentrancy off
"""
@title price_feed
@license Apache-2.0
@notice A price feed with the interface of Chainlink's aggregator proxy, whose owner sets each round.
@dev Round ids carry a phase in their upper 16 of 80 bits, as a proxy's do, so that readers that compare
     or count them meet what they meet on a live chain. A round may be given any times and any answer,
     zero, negative, stale and future ones too: readers must defend themselves, and tests must be able to ask.
"""

struct Round:
    answer: int256
    started_at: uint256
    updated_at: uint256

event AnswerUpdated:
    current: indexed(int256)
    roundId: indexed(uint256)
    updatedAt: uint256

event NewRound:
    roundId: indexed(uint256)
    startedBy: indexed(address)
    startedAt: uint256

PHASE: constant(uint256) = 1 << 64

version: public(constant(uint256)) = 4
decimals: public(immutable(uint8))
description: public(immutable(String[64]))
heartbeat_s: public(immutable(uint256))

owner: public(address)
rounds: HashMap[uint256, Round]
count: uint256


@deploy
def __init__(
    feed_description: String[64],
    feed_decimals: uint8,
    feed_heartbeat_s: uint256,
    feed_owner: address,
    first_answer: int256,
):
    """
    @notice Open the feed with a first round, so that it never has none.
    @param feed_description What is priced, like "ETH / USD".
    @param feed_decimals Decimals of the answers: 8 for prices in USD, 0 for a sequencer's state.
    @param feed_heartbeat_s The longest time between two answers that readers should accept.
    @param feed_owner The one who sets answers; not zero.
    @param first_answer Answer of the first round.
    """
    assert feed_owner != empty(address), "price_feed: owner"
    description = feed_description
    decimals = feed_decimals
    heartbeat_s = feed_heartbeat_s
    self.owner = feed_owner
    self._open(first_answer, block.timestamp, block.timestamp)


@external
def set_answer(answer: int256):
    """
    @notice Open a round with `answer`, started and updated now. Only the owner.
    @param answer In the feed's decimals.
    """
    assert msg.sender == self.owner, "price_feed: not the owner"
    self._open(answer, block.timestamp, block.timestamp)


@external
def set_round(answer: int256, started_at: uint256, updated_at: uint256):
    """
    @notice Open a round with any answer and any times. Only the owner.
    @param answer In the feed's decimals; zero and negative ones are allowed.
    @param started_at Unix seconds.
    @param updated_at Unix seconds; 0 means that the round is not complete.
    """
    assert msg.sender == self.owner, "price_feed: not the owner"
    self._open(answer, started_at, updated_at)


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    """
    @notice Return the newest round.
    @return Round id, answer, time started, time updated, and the round that answered.
    """
    return self._round(self.count)


@external
@view
def getRoundData(round_id: uint80) -> (uint80, int256, uint256, uint256, uint80):
    """
    @notice Return the round with this id.
    @param round_id Id with its phase.
    @return Round id, answer, time started, time updated, and the round that answered.
    """
    wanted: uint256 = convert(round_id, uint256)
    assert wanted > PHASE and wanted <= PHASE + self.count, "price_feed: no such round"
    # wanted > PHASE was asserted
    return self._round(unsafe_sub(wanted, PHASE))


@external
@view
def latestAnswer() -> int256:
    """
    @notice Return the newest answer, without a word on its age.
    @return Answer in the feed's decimals.
    """
    return self.rounds[self.count].answer


@external
@view
def latestTimestamp() -> uint256:
    """
    @notice Return when the newest answer was updated.
    @return Unix seconds.
    """
    return self.rounds[self.count].updated_at


@external
@view
def latestRound() -> uint256:
    """
    @notice Return the id of the newest round.
    @return Id with its phase.
    """
    # count is below 2**64 for as long as a chain lives
    return unsafe_add(PHASE, self.count)


@internal
def _open(answer: int256, started_at: uint256, updated_at: uint256):
    self.count += 1
    self.rounds[self.count] = Round(answer=answer, started_at=started_at, updated_at=updated_at)
    round_id: uint256 = unsafe_add(PHASE, self.count)
    log NewRound(roundId=round_id, startedBy=msg.sender, startedAt=started_at)
    log AnswerUpdated(current=answer, roundId=round_id, updatedAt=updated_at)


@internal
@view
def _round(number: uint256) -> (uint80, int256, uint256, uint256, uint80):
    found: Round = self.rounds[number]
    round_id: uint80 = convert(unsafe_add(PHASE, number), uint80)
    return round_id, found.answer, found.started_at, found.updated_at, round_id
