"""The collector's parts: polls, back-fill, call budget, the filter of implausible prices, and the write buffer."""
