"""All comparisons of servers one after the other, and what of their bars is met.

python benchmarks/serve_all.py [--rounds 3]
"""

import argparse
import subprocess
import sys
import time

from conditions import RESULTS
from running import HERE

NAMES = (
    "serve_digits", "serve_image", "serve_two_cores", "serve_latency", "serve_grpc", "serve_protection", "serve_start",
)  # fmt: skip


def main() -> None:
    """Run them, each in a process of its own, and print their bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    began_s = time.monotonic()
    for name in NAMES:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, str(HERE / f"{name}.py"), "--rounds", str(options.rounds)], check=True)
    for name in NAMES:
        text = (RESULTS / f"{name}.md").read_text()
        print(f"{name}:\n{text.partition('## Against the bars')[2].strip()}\n", flush=True)
    print(f"all in {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()
