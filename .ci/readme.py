"""Run the README's quick start as it stands: every `bash` and `python` block between the markers.

They run in order in a fresh clone, with a virtual environment that is empty at first. Any exit code
but zero fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.S | re.M)
QUICK_START = re.compile(r"<!-- quick start -->(.*?)<!-- end of quick start -->", re.S)
MINUTES = 10


def main() -> int:
    """Run the blocks; return 0 when all went well."""
    quick_start = "".join(QUICK_START.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    blocks = BLOCK.findall(quick_start)
    if not blocks:
        sys.exit("README.md has no quick start between its markers.")
    with tempfile.TemporaryDirectory() as folder:
        venv.create(Path(folder, "venv"), with_pip=True)
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        path = f"{Path(folder, 'venv', 'bin')}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path}
        for language, code in blocks:
            print(f"--- {language}\n{code}", flush=True)
            command = ["bash", "-euc", code] if language == "bash" else ["python", "-c", code]
            subprocess.run(command, cwd=clone, env=environment, check=True, timeout=MINUTES * 60)
    print(f"{len(blocks)} blocks of the README's quick start ran.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
