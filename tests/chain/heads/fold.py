"""A consumer that folds changes into state, and finds fault with any that do not fit."""

from __future__ import annotations

from tidegate.chain.heads import Added, Change, Confirmed, Finalised, RolledBack


class Fold:
    """Logs by key and blocks by number. With ``is_strict`` nothing may come twice."""

    def __init__(self, *, is_strict: bool = True, chain_id: int = 1) -> None:
        self.is_strict = is_strict
        self.chain_id = chain_id
        self.logs: dict = {}
        self.blocks: dict[int, bytes] = {}
        self.confirmed = -1
        self.finalised = -1
        self.rolled_back: list[int] = []
        self.history: list[Change] = []

    def take(self, batch: tuple[Change, ...]) -> None:
        for change in batch:
            self.history.append(change)
            self._take(change)

    def _take(self, change: Change) -> None:
        match change:
            case Added(block, logs, is_repeated):
                if self.is_strict:
                    assert not is_repeated
                    assert block.number not in self.blocks
                if self.blocks and block.number - 1 in self.blocks:
                    assert self.blocks[block.number - 1] == block.parent_hash
                elif self.blocks:
                    assert block.number <= min(self.blocks)
                assert self.blocks.get(block.number) in (None, block.hash)
                self.blocks[block.number] = block.hash
                for log in logs:
                    key = log.key(self.chain_id)
                    assert not self.is_strict or key not in self.logs
                    self.logs[key] = log
            case RolledBack(number, block_hash, keys):
                if self.is_strict:
                    assert max(self.blocks) == number
                    assert self.blocks[number] == block_hash
                    assert set(keys) == {key for key in self.logs if key.block_hash == block_hash}
                if self.blocks.get(number) == block_hash:
                    del self.blocks[number]
                for key in keys:
                    self.logs.pop(key, None)
                self.rolled_back.append(number)
            case Confirmed(number):
                assert number in self.blocks or not self.is_strict
                self.confirmed = number
            case Finalised(number):
                assert number > self.finalised or not self.is_strict
                self.finalised = number
