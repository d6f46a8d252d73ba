"""Start the whole system: `python run_all.py` (options: `python run_all.py --help`)."""

from __future__ import annotations

import sys

from suite.main import main

if __name__ == "__main__":
    sys.exit(main())
