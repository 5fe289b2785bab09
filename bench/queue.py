"""Jobcast's queue beside its peers: everything in one run on one machine.

    make bench-queue                                        all of it, about ten minutes
    make bench-queue ARGS="--only bullmq --jobs 5000"       Jobcast and one peer, smaller
    make bench-queue ARGS="--json"                          as one JSON document

docs/bench.md says what is measured and what the numbers mean.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Not this folder, where the standard library's `queue` would be this file.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

    from bench.queues.main import main

    main()
