"""Which coin has which place in arrays that must not grow for ever while coins come and go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from core.times import DAY_MS

__all__ = ["Roster"]


class Roster:
    """The places of coins. A coin that left keeps its own until all that is kept of it lies before its departure.

    Args:
        history_days: days for which something is kept of a coin; one more, and a coin that joins may take its place.
        coins: ids by place, to begin with.
        left_ms: when those of them that are not collected were seen to be missing first.

    Attributes:
        coins: ids by place.
        left_ms: coin → UTC milliseconds; the coins that are not collected now.
    """

    def __init__(self, history_days: int, coins: Sequence[str] = (), left_ms: Mapping[str, int] | None = None) -> None:
        self.coins = list(coins)
        self.left_ms = dict(left_ms or {})
        self._kept_ms = (history_days + 1) * DAY_MS
        self._place = {coin: place for place, coin in enumerate(self.coins)}

    def __len__(self) -> int:
        return len(self.coins)

    def __contains__(self, coin: str) -> bool:
        return coin in self._place

    def place(self, coin: str) -> int:
        """Place of the coin; a new coin gets the next one."""
        if coin not in self._place:
            self._place[coin] = len(self.coins)
            self.coins.append(coin)
        return self._place[coin]

    def known_place(self, coin: str) -> int:
        """Place of the coin; of one that has lost its place the first, because no row of it is fit for a model."""
        return self._place.get(coin, 0)

    def enrol(self, collected: Collection[str], now_ms: int) -> list[int]:
        """Give a place to each coin that is collected now: that of a coin long gone, or else the next one.

        Returns:
            The places taken over, those of the coins longest gone first.
        """
        left_ms = {coin: self.left_ms.get(coin, now_ms) for coin in self.coins if coin not in collected}
        self.left_ms = {coin: min(ts_ms, now_ms) for coin, ts_ms in left_ms.items()}
        gone = sorted((coin for coin in left_ms if now_ms - left_ms[coin] > self._kept_ms), key=left_ms.__getitem__)
        joined = [coin for coin in collected if coin not in self._place]
        taken = [self._take_over(old, new) for old, new in zip(gone, joined, strict=False)]
        for coin in joined[len(taken) :]:
            self.place(coin)
        return taken

    def _take_over(self, old: str, new: str) -> int:
        del self.left_ms[old]
        place = self._place[new] = self._place.pop(old)
        self.coins[place] = new
        return place
