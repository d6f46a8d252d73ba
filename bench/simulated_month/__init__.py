"""A machine that lives through simulated weeks of faults and restarts, and the verdict on what it leaves."""
