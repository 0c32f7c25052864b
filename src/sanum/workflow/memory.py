"""How much memory this process needed."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def peak_memory_mb() -> int:
    """Highest resident memory of this process so far, in MB.

    Linux tells it since the process began its own program; elsewhere it may count what a parent held at the fork.
    Windows does not tell; there it is 0.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(
            r"^VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii", errors="replace"), re.MULTILINE
        )
        if found is not None:
            return int(found[1]) // 1024
    try:
        import resource
    except ImportError:
        return 0
    unit = 1024 if sys.platform == "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 // unit
