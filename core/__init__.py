"""What every process shares: settings, workspaces, price store, published tables, readers, health records."""
