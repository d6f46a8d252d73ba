"""Equipment that tests and benchmarks share: filled workspaces, running suites, integrity checks."""
