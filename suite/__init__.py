"""What run_all.py is made of: choice of the source, child processes and their supervisor, console."""
