"""Alerts on their way to people: channels, the rule about addresses, and the loop that sends and tries again."""
