"""The collector's parts: call budget, transport, replies, acceptance of prices, polls, back-fill."""
