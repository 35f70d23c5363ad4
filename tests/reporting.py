"""Synthetic but valid records of a comparison, for what is made from records alone."""

import numpy as np

from eval.record import SCHEMA_VERSION, Record
from eval.records import hash_of, versions
from videoatlas_gym.usage import Usage


def config_of(**changes):
    """Return the arguments of a small comparison, some of them changed."""
    names = changes.pop("names", ("random", "bfs"))
    budgets = changes.pop("limits", ("none",))
    return {
        "task_sets": [{"name": "story-1h"}],
        "policies": [{"name": name, "env_options": {}} for name in names],
        "depths": [0, 1],
        "budgets": [{"name": name, "frames": None, "steps": None} for name in budgets],
        "episodes": 2,
        "seed": 0,
        "grid_size": 4,
        "tile_size": [32, 18],
        "min_expand_seconds": 1.0,
        "max_steps": None,
        "reader": "score",
        "scorer": "combined",
    } | changes


def item(seconds, span, confidence=1.0, step=1):
    """Return a kept item as the environment gives it."""
    return {
        "seconds": seconds,
        "span": list(span),
        "confidence": confidence,
        "step": step,
        "note": "",
        "frame_seconds": seconds,
        "subtitle": "",
    }


def made(**changes):
    """Return a record of a scored episode, with some fields changed; failures have no score."""
    values = {
        "config_hash": "h",
        "task_set": "story-1h",
        "policy": "random",
        "depth": 1,
        "budget": "none",
        "task_index": 0,
        "seed": 5,
        "task_id": "0-0",
        "kind": "multiple_choice",
        "family": "",
        "group": "a",
        "duration_seconds": 3600.0,
        "truth": [],
        "needs": [],
        "score": 1.0,
        "evidence": [],
        "usage": Usage(steps=3, frames=9, views=4).to_json(),
        "actions": {"FINISHED": 1},
        "looked": [],
        "timing": {"seconds": 1.0},
        "cache": {"frames_decoded": 9, "peak_memory_bytes": 1},
    }
    if changes.get("error") or changes.get("infra_error"):
        values["score"] = None
    return Record(**(values | changes))


def row(scores, groups=None, *, frames=9, steps=3, **changes):
    """Return a record per score, each of its own footage unless groups are given."""
    groups = groups or [f"world-{index}" for index in range(len(scores))]
    usage = Usage(steps=steps, frames=frames, views=4).to_json()
    return [
        made(task_index=index, score=score, group=group, usage=usage, **changes)
        for index, (score, group) in enumerate(zip(scores, groups, strict=True))
    ]


KINDS = ("multiple_choice", "temporal_grounding", "frame_search")


def played(config, *, config_hash="h", seed=0):
    """Yield records as large as real ones for all that a configuration asks for.

    Deeper and later policies score better and cost more; nothing of it is a result of anything.
    """
    random = np.random.default_rng(seed)
    for task_set in config["task_sets"]:
        duration = float(task_set.get("duration_seconds", 3600.0))
        starts = np.random.default_rng(7).uniform(0, duration - 40, config["episodes"])
        for budget in config["budgets"]:
            for place, policy in enumerate(config["policies"]):
                for level, depth in enumerate(config["depths"]):
                    for index in range(config["episodes"]):
                        yield _episode(
                            random,
                            task_set["name"],
                            (policy["name"], place),
                            (depth, level),
                            budget["name"],
                            (index, float(starts[index]), duration),
                            config_hash,
                        )


def _episode(random, task_set, policy, depth, budget, task, config_hash):
    index, start, duration = task
    kind = KINDS[index % 3]
    skill = min(0.95, 0.05 + 0.06 * policy[1] + 0.12 * depth[1])
    is_right = bool(random.random() < skill)
    frames = int(16 * (1 + depth[1]) ** (1 + policy[1] / 3) + random.integers(4))
    moments = np.append(random.uniform(0, duration, 3), start + 10 if is_right else 0.0)
    items = [
        item(float(m), (max(0, m - 8), m + 8), round(0.2 + 0.2 * i, 1), i)
        for i, m in enumerate(moments)
    ]
    looked = random.poisson(0.3 + depth[1], 100)
    return made(
        config_hash=config_hash,
        task_set=task_set,
        policy=policy[0],
        depth=depth[0],
        budget=budget,
        task_index=index,
        task_id=f"{task_set}-{index}",
        kind=kind,
        family=("detail", "order", "needle-visible", "needle-hidden")[index % 4],
        group=f"world-{index % 20}",
        duration_seconds=duration,
        truth=[[start, start + 20.0]],
        needs=[[start + 5, start + 15]],
        chance=0.25 if kind == "multiple_choice" else None,
        score=0.6 * is_right if kind == "temporal_grounding" else float(is_right),
        evidence=items,
        usage=Usage(steps=3 + 5 * depth[1], frames=frames, views=frames // 16).to_json(),
        looked=looked.tolist(),
        coverage_explored=0.1 * depth[1],
        is_privileged=policy[0] == "oracle",
        timing={"seconds": float(0.01 * frames)},
        cache={"frames_decoded": frames, "peak_memory_bytes": 10**8},
    )


def write_run(folder, config, records=None, *, notes=None, name="records.jsonl", **changes):
    """Write a run as the comparison does, without its lock and its checks; return its folder.

    `records` are functions' results of a configuration hash: a callable that gets it.
    """
    import json

    content = {"schema_version": SCHEMA_VERSION, "config": config, "versions": versions()} | changes
    config_hash = hash_of(content)
    folder.mkdir(parents=True, exist_ok=True)
    described = {"config_hash": config_hash, **content, "notes": notes or {}}
    (folder / "config.json").write_text(json.dumps(described))
    made_records = (
        played(config, config_hash=config_hash) if records is None else records(config_hash)
    )
    with (folder / name).open("w", encoding="utf-8") as file:
        for record in made_records:
            file.write(record.to_line())
    return folder
