"""The results so far and the next offsets, in one file that is replaced as a whole.

They are stored together, like in one transaction of your database: after a crash neither is ahead of the other.
"""

import json
import os

REMEMBERED_MAX = 1_000


class Progress:
    def __init__(self, file: str) -> None:
        self._file = file
        self.next: dict[str, int] = {}  # the next offset, by partition
        self.last: dict[str, int] = {}  # the last sequence, by wallet
        self.missing: list[str] = []  # "wallet/sequence" of missing events
        self.events = 0
        self.faults = 0
        if os.path.exists(file):
            with open(file, encoding="utf-8") as stored:
                self.__dict__.update(json.load(stored))

    def take(self, partition: int, offset: int, event: dict) -> str | None:
        """Takes one event. Returns the fault in its order, if any."""
        if offset < self.next.get(str(partition), 0):
            return None  # delivered again, already counted
        self.next[str(partition)] = offset + 1
        self.events += 1
        fault = self._check(str(event["wallet_id"]), event["sequence"])
        if fault is None:
            return None
        self.faults += 1
        return f"{fault} (partition {partition}, offset {offset})"

    def _check(self, wallet: str, sequence: int) -> str | None:
        last = self.last.get(wallet, 0)
        self.last[wallet] = max(last, sequence)
        if sequence == last + 1:
            return None
        if sequence > last:
            left = [f"{wallet}/{number}" for number in range(last + 1, min(sequence, last + 1 + REMEMBERED_MAX))]
            self.missing = (self.missing + left)[:REMEMBERED_MAX]
            return f"gap: wallet {wallet} went from {last} to {sequence}"
        if f"{wallet}/{sequence}" not in self.missing:
            return f"double: wallet {wallet} had {sequence} before"
        self.missing.remove(f"{wallet}/{sequence}")
        return f"out of order: wallet {wallet} got {sequence} after {last}"

    def save(self) -> None:
        content = {name: value for name, value in self.__dict__.items() if not name.startswith("_")}
        with open(f"{self._file}.new", "w", encoding="utf-8") as draft:
            json.dump(content, draft)
        os.replace(f"{self._file}.new", self._file)
