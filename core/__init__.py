"""What every process shares: settings, price store, artifacts, forecast contract, readers, health, supervisor."""
