"""What every process does alike: start, stop, locks, heartbeat, and ending together with its parent."""
