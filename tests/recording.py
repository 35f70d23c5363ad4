"""Run directories with made-up records, for tests of how they are kept."""

from eval.record import Record
from eval.records import RunDirectory
from videoatlas_gym.usage import Usage

CONFIG = {"seed": 0, "depths": [0, 1]}


def kept(**changes):
    """Return a kept item as the environment gives it, with some entries changed."""
    found = {"seconds": 1.5, "span": [1.0, 2.0], "confidence": 1.0, "step": 2, "note": ""}
    return found | changes


def made_record(config_hash="h", **changes):
    """Return a record of a scored episode, with some fields changed."""
    values = {
        "task_set": "story",
        "policy": "random",
        "depth": 1,
        "budget": "none",
        "task_index": 0,
        "seed": 5,
        "task_id": "0-0",
        "kind": "frame_search",
        "family": "",
        "group": "a.mp4",
        "duration_seconds": 8.0,
        "truth": [[1.0, 2.0]],
        "needs": [],
        "score": 1.0,
        "evidence": [],
        "usage": Usage(steps=3, frames=9, views=4).to_json(),
        "actions": {"FINISHED": 1},
        "looked": [],
        "timing": {"seconds": 0.5},
        "cache": {"frames_decoded": 4, "peak_memory_bytes": 1000},
    }
    if changes.get("error") or changes.get("infra_error"):
        values["score"] = None
    return Record(config_hash=config_hash, **(values | changes))


def filled(path, count=3, config=CONFIG):
    """Make a run with some records; return them."""
    with RunDirectory(path, config) as run:
        for index in range(count):
            run.append(made_record(run.config_hash, task_index=index))
        return list(run.records.values())


def content(path):
    """Return the bytes of every file below a folder."""
    return {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()}
