"""The audit: every pinned package looked up among known vulnerabilities, by pip-audit, lock file by lock file.

What couldn't be looked up counts as not audited, never as sound: pip-audit itself ends with 0 then. Exit status: 0 each
package was looked up and none is known to be vulnerable; 1 some are; 2 not all could be looked up. Arguments are
pip-audit's, such as ``--vulnerability-service osv`` or ``--ignore-vuln ID``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from locked import lock_files, locked

SOUND, VULNERABLE, NOT_AUDITED = 0, 1, 2


@dataclass
class Audit:
    """What came of the look-ups so far."""

    looked_up: int = 0
    vulnerable: list[str] = field(default_factory=list)
    not_audited: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status; that something is vulnerable comes first."""
        return VULNERABLE if self.vulnerable else NOT_AUDITED if self.not_audited else SOUND

    def add(self, lock: Path, answer: str, error: str) -> None:
        """Take in what pip-audit said of a lock file."""
        expected = {package.name.lower().replace("_", "-") for package in locked(lock) if not package.marker}
        try:
            entries: list[dict[str, Any]] = json.loads(answer)["dependencies"]
        except (ValueError, KeyError, TypeError):
            reason = (error.strip().splitlines() or ["it said nothing"])[-1][:200]
            self.not_audited.append(f"{lock.name}: all {len(expected)} packages ({reason})")
            return
        for entry in entries:
            name = f"{lock.name}: {entry['name']} {entry.get('version', '')}".rstrip()
            if "skip_reason" in entry:
                self.not_audited.append(f"{name} ({entry['skip_reason']})")
                continue
            self.looked_up += 1
            self.vulnerable += [
                f"{name}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no version yet'}"
                for found in entry["vulns"]
            ]
        unheard = expected - {entry["name"].lower().replace("_", "-") for entry in entries}
        self.not_audited += [f"{lock.name}: {name} (left out of the answer)" for name in sorted(unheard)]


def main(arguments: Sequence[str]) -> int:
    """Audit every lock file, and say what came of it."""
    audit = Audit()
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--format", "json"]
    command += ["--progress-spinner", "off", *arguments, "--requirement"]
    for lock in lock_files():
        done = subprocess.run(  # noqa: S603 (a fixed command, this interpreter)
            [*command, str(lock)], capture_output=True, text=True, check=False
        )
        audit.add(lock, done.stdout, done.stderr)
    for line in audit.vulnerable:
        print(f"vulnerable: {line}")
    for line in audit.not_audited:
        print(f"not audited: {line}", file=sys.stderr)
    print(f"{audit.looked_up} looked up, {len(audit.vulnerable)} vulnerable, {len(audit.not_audited)} not audited")
    if audit.status == NOT_AUDITED:
        print("audit: this is no clean bill; run it where the vulnerability service can be reached", file=sys.stderr)
    return audit.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
