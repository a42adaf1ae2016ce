"""What the system says of this process and thread; 0 where it says nothing, as Windows does."""

from __future__ import annotations

from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


def interruption_count() -> int:
    """How often this thread had to leave its core while it had work to do."""
    if resource is None or not hasattr(resource, "RUSAGE_THREAD"):
        return 0
    return int(resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw)


def resident_bytes(peak: bool) -> int:
    """Memory of this process now, or the most it ever had."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # not Linux: the peak is all there is, in bytes on macOS
        return 0 if resource is None else int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    # not ru_maxrss: on Linux that remembers the parent's memory from before exec
    line = next(line for line in status.splitlines() if line.startswith("VmHWM" if peak else "VmRSS"))
    return 1024 * int(line.split()[1])
