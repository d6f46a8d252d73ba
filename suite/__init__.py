"""What run_all.py runs: checks, choice of the source, child processes with their supervisor, console."""
