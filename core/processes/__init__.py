"""The life of a process: start, stop, locks, command line, heartbeat, and the watch over its parent."""
