"""What this machine is: cores, memory, processor, graphics cards. No framework is asked, and what
one system alone knows is asked for where it exists.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
CPUINFO = Path("/proc/cpuinfo")
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16", "svebf16"})


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of the machine's memory."""
    import psutil

    return int(psutil.virtual_memory().total)


def free_memory() -> int:
    """Bytes of memory that programs may still ask for."""
    import psutil

    return int(psutil.virtual_memory().available)


def peak_memory() -> int:
    """Most memory this process ever held, bytes; what it holds now, where the system tells no
    more.

    Linux's ``ru_maxrss`` counts the process that started this one too (it is kept over exec), so
    the program's own peak (``VmHWM``) is read where there is one.
    """
    try:
        lines = STATUS.read_text(encoding="utf-8", errors="replace").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:
        import psutil

        held = psutil.Process().memory_info()
        return int(getattr(held, "peak_wset", held.rss))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def processor() -> str:
    """The processor's name."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor() or platform.machine()


def processor_words(cpu: Path = CPUINFO) -> frozenset[str]:
    """Names of the processor's features among other words; none where the system does not say."""
    try:
        return frozenset(cpu.read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return frozenset()


def multiplies_bfloat16(cpu: Path = CPUINFO) -> bool:
    """Whether the processor has instructions for it; True where the system does not say."""
    words = processor_words(cpu)
    return bool(words & BFLOAT16) or "avx2" not in words


def graphics_cards() -> tuple[str, ...]:
    """NVIDIA's cards with their memory, by its own tool; none where that is not installed."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(done.stdout.strip().splitlines()) if done.returncode == 0 else ()
