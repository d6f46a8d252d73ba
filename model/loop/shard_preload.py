"""What the server that forks workers of shards imports first; nothing else may import it.

The server ends with the process that started it, and so do the workers, with theirs, also where they hang. It has their
libraries in memory, without pandas, which scikit-learn would load, and with one thread each: the workers share the
processors. What is there before the fork is no matter for the garbage collector, which would copy each page by looking
at it.
"""

from __future__ import annotations

import os
import signal

from core.processes.child import end_with_parent, hide_modules
from core.settings import PARENT_VARIABLE

os.environ[PARENT_VARIABLE] = str(os.getppid())
end_with_parent()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
hide_modules("pandas")

import model.loop.shard_worker  # noqa: E402, F401
from core.processes.free_memory import leave_out_of_collections  # noqa: E402

leave_out_of_collections()
