"""What every process shares: settings, workspaces, price store, publication, reading, health."""
