"""Running a command and measuring it: wall clock, processor time and peak memory of all its processes.

What belongs here: one measured command. What doesn't: which commands, and what their figures mean. Where ``/proc``
exists, memory is sampled over the whole tree of processes, memory that they share counted once, and each process's own
record of its peak is read. Elsewhere the largest process's peak is what the system says when the command ends; Linux
would count the benchmark's own memory in, which its children share until they have started. Processor time is what the
system says at the end, or what was sampled if that is more: it leaves out processes that nobody waited for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_SAMPLE_SECONDS = 0.2
_GRACE_SECONDS = 30
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Measured:
    """One finished command. ``lines`` are those of standard error with the second in which they came."""

    seconds: float
    processor_seconds: float
    peak_bytes: int
    exit_status: int
    lines: tuple[tuple[float, str], ...]
    is_timed_out: bool = False

    @property
    def error(self) -> str | None:
        """Why the command didn't succeed, in a line; None if it did."""
        if self.is_timed_out:
            return f"stopped after {self.seconds:,.0f} s"
        if self.exit_status == -signal.SIGKILL:
            return "killed, most likely for want of memory"
        if self.exit_status:
            said = next((text for _, text in reversed(self.lines) if text.strip()), "it said nothing")
            return f"exit status {self.exit_status}: {said}"
        return None


class _Watch(threading.Thread):
    """Samples the memory of a running command, and stops it when its time is over."""

    def __init__(self, pid: int, timeout: float) -> None:
        super().__init__(daemon=True)
        self.pid, self.timeout = pid, timeout
        self.peak_bytes, self.is_timed_out = 0, False
        self.processor_seconds: dict[int, float] = {}
        self.is_over = threading.Event()

    def run(self) -> None:
        """Sample until told that the command has ended."""
        started = time.monotonic()
        while not self.is_over.wait(_SAMPLE_SECONDS):
            members = _tree(self.pid)
            self.peak_bytes = max(self.peak_bytes, _resident_bytes(members))
            for member in members:
                seconds = max(self.processor_seconds.get(member, 0.0), _processor_seconds(member))
                self.processor_seconds[member] = seconds
            elapsed = time.monotonic() - started
            if elapsed > self.timeout:
                _stop(self.pid, is_first=not self.is_timed_out, is_late=elapsed > self.timeout + _GRACE_SECONDS)
                self.is_timed_out = True


def run_measured(command: Sequence[str], *, environment: Mapping[str, str] | None, timeout: float) -> Measured:
    """Run the command to its end, or stop it after ``timeout`` seconds; its standard output is dropped."""
    started = time.monotonic()
    lines: list[tuple[float, str]] = []
    process = subprocess.Popen(  # noqa: S603 (the benchmark's own commands)
        list(command),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    reader = threading.Thread(target=_read_lines, args=(process.stderr, lines, started), daemon=True)
    watch = _Watch(process.pid, timeout)
    reader.start()
    watch.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        _stop(process.pid, is_first=True, is_late=False)
        raise
    seconds = time.monotonic() - started
    watch.is_over.set()
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join(timeout=5)
    watch.join(timeout=5)
    return Measured(
        seconds=seconds,
        processor_seconds=max(usage.ru_utime + usage.ru_stime, sum(watch.processor_seconds.values())),
        peak_bytes=watch.peak_bytes or usage.ru_maxrss * _MAXRSS_UNIT,
        exit_status=process.returncode,
        lines=tuple(lines),
        is_timed_out=watch.is_timed_out,
    )


def _read_lines(stream: IO[str], lines: list[tuple[float, str]], started: float) -> None:
    lines.extend((time.monotonic() - started, line.rstrip("\n")) for line in stream)


def _stop(pid: int, *, is_first: bool, is_late: bool) -> None:
    """Ask the command to end, so that it can stop what it started; end its whole session if it doesn't."""
    with contextlib.suppress(ProcessLookupError):
        if is_late:
            os.killpg(pid, signal.SIGKILL)
        elif is_first:
            os.kill(pid, signal.SIGINT)


def _resident_bytes(pids: Iterable[int]) -> int:
    """Resident bytes of these processes, shared memory counted once; 0 where that can't be known.

    At least the largest peak that any of these processes has ever had.
    """
    private, shared, peak = 0, 0, 0
    page = os.sysconf("SC_PAGE_SIZE")
    for member in pids:
        try:
            fields = Path(f"/proc/{member}/statm").read_text(encoding="ascii").split()
        except OSError:
            continue
        peak = max(peak, _own_peak(member))
        private += (int(fields[1]) - int(fields[2])) * page
        shared = max(shared, int(fields[2]) * page)
    return max(private + shared, peak)


def _processor_seconds(pid: int) -> float:
    """Of the process itself; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _own_peak(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _tree(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        member = waiting.pop()
        found.append(member)
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                waiting += [int(text) for text in children.read_text(encoding="ascii").split()]
    return found


def folder_bytes(folder: Path) -> int:
    """Bytes that the files of a folder take, hard links counted once."""
    stats = {path.stat().st_ino: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return sum(stats.values())


def scratch_folder(parent: Path | None) -> tempfile.TemporaryDirectory[str]:
    """A folder for landing zones and warehouses that is removed at the end."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="ringfence-bench-", dir=parent)
