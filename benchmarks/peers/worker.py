"""The process that one peer is measured in: `python -m benchmarks.peers.worker JOB`."""

import importlib
import os
import sys
from pathlib import Path

import msgspec

from benchmarks.peers.apart import Answer, CannotRunError, Job


def work(job: Job) -> Answer:
    """Runs the ring; whatever a foreign library raises is a row without figures, not the end of all."""
    try:
        return Answer(laps=importlib.import_module(job.module).ring(job))
    except CannotRunError as error:
        return Answer(reason=str(error))
    except Exception as error:
        return Answer(reason=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def main(text: str) -> None:
    """Works off a job and leaves the answer in its folder."""
    job = msgspec.json.decode(text, type=Job)
    answer = Path(job.folder, "answer.json")
    answer.with_suffix(".part").write_bytes(msgspec.json.encode(work(job)))
    answer.with_suffix(".part").rename(answer)
    sys.stdout.flush()
    os._exit(0)  # threads of foreign libraries must not hold up the end; what they leave behind is ended by `apart`


if __name__ == "__main__":
    main(sys.argv[1])
