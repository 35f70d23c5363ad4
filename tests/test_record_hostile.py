"""Whatever stands in records and configurations gives a sane report or one sentence of refusal."""

import json
import re
from contextlib import suppress

import pytest
from comparing import no_plots
from recording import kept, made_record
from reporting import config_of, item, made, write_run

from eval.merge import ReportError
from eval.records import RunDirectoryError, hash_of, read_config
from eval.report import write_report
from videoatlas_gym.usage import Usage

USAGE = Usage().to_json()

NASTY = {
    "null": "null",
    "true": "true",
    "negative": "-1",
    "fraction": "0.5",
    "minus a fraction": "-0.5",
    "NaN": "NaN",
    "infinity": "Infinity",
    "read as infinity": "1e999",
    "large": "1e300",
    "tiny": "5e-324",
    "400 digits": "1" + "0" * 400,
    "5000 digits": "1" + "0" * 5000,
    "no text": '""',
    "text": '"x"',
    "not for UTF-8": '"\\ud800"',
    "end of string": '"\\u0000"',
    "long": '"' + "x" * 100_000 + '"',
    "no list": "[]",
    "list of texts": '["ab"]',
    "list of numbers": "[1, 2]",
    "mixed list": '[[0], 1, "x"]',
    "list of pairs": '[["a", "b"]]',
    "pair backwards": "[[2.0, 1.0]]",
    "list of objects": "[{}]",
    "no object": "{}",
    "object": '{"steps": "x", "name": []}',
    "deep": "[" * 100_000 + "]" * 100_000,
    "deeper than is read": "[" * 100_000,
}
"""What takes the place of a value, as JSON."""
RECORD = {
    "chance": 0.25,
    "answer": 1,
    "truth": [[1.0, 2.0]],
    "needs": [[1.0, 2.0]],
    "looked": [1] * 100,
    "evidence": [item(1.0, (0.0, 2.0))],
    "family": "order",
}
PLACE = "in this place"


def places(data):
    """Return copies of plain data, by what was replaced: each value in each of them in turn."""
    for key in data if isinstance(data, dict) else range(len(data)):
        for value, path in [(PLACE, ())] + (
            list(places(data[key])) if isinstance(data[key], dict | list) else []
        ):
            changed = data.copy()
            changed[key] = value
            yield changed, (key, *path)


def written(data, name):
    """Return data as a line of JSON, with something nasty in its place."""
    return json.dumps(data).replace(json.dumps(PLACE), NASTY[name])


def outcome(run):
    """Return "" for a report without nonsense, or the sentence with which it is refused."""
    try:
        with no_plots:
            text = write_report([run])
    except ReportError as error:
        sentence = str(error)
        assert "\n" not in sentence and len(sentence) < 1000 and sentence.endswith(".")
        assert not re.search("codec|unpack|Axis|Exceeds|Error", sentence), sentence
        return sentence
    assert not re.search(r"\b(nan|inf)\b", text + text.short)
    return ""


def one_record_run(folder):
    """Write a run of one record with something in each field; return its folder."""
    return write_run(folder, config_of(), lambda h: [made(config_hash=h, **RECORD)])


@pytest.mark.parametrize("name", NASTY)
def test_whatever_a_field_of_a_record_holds_is_reported_or_refused(tmp_path, name):
    run = one_record_run(tmp_path)
    records = run / "records.jsonl"
    good, is_refused = json.loads(records.read_text()), {}
    for changed, path in places(good):
        if path[0] == "looked" and path[1:] > (1,):
            continue  # all of the hundred are alike
        records.write_text(written(changed, name) + "\n")
        sentence = outcome(run)
        is_stray = f"in {str(run)!r} is none of those that its configuration" in sentence
        assert not sentence or is_stray or f"line 1 of {str(records)!r}" in sentence, path
        is_refused[path] = bool(sentence)
    assert is_refused["usage",] and is_refused["timing",] and is_refused["schema_version",]
    assert is_refused["evidence", 0] and is_refused["looked", 0]


@pytest.mark.parametrize("name", NASTY)
def test_whatever_a_configuration_holds_is_reported_or_refused(tmp_path, name):
    run = one_record_run(tmp_path)
    file, records = run / "config.json", run / "records.jsonl"
    good, line = json.loads(file.read_text()), records.read_text()
    for changed, path in places(good):
        text, hashed = written(changed, name), good["config_hash"]
        with suppress(ValueError, RecursionError, KeyError, TypeError):
            data = json.loads(text)  # with a hash that fits, as someone would who means harm
            hashed = hash_of({n: data[n] for n in ("schema_version", "config", "versions")})
        file.write_text(text.replace(good["config_hash"], hashed))
        records.write_text(line.replace(good["config_hash"], hashed))
        sentence = outcome(run)
        assert not sentence or str(run) in sentence, path


@pytest.mark.parametrize("entry", ["config_hash", "schema_version", "config", "versions", "notes"])
def test_a_configuration_lacks_nothing(tmp_path, entry):
    file = one_record_run(tmp_path) / "config.json"
    data = json.loads(file.read_text())
    del data[entry]
    file.write_text(json.dumps(data))
    with pytest.raises(RunDirectoryError, match=f"is no configuration of a run .*{entry}"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evidence": ["x"]}, "an item of evidence must be an object, got 'x'"),
        ({"evidence": [{}]}, "must hold confidence, note, seconds, span, step and at most"),
        ({"evidence": [kept(colour=1)]}, "at most frame_seconds, subtitle besides"),
        ({"evidence": [kept(seconds="x")]}, "seconds of an item of evidence must be a number"),
        ({"evidence": [kept(confidence=None)]}, "confidence of an item .* got None"),
        ({"evidence": [kept(step=-1)]}, "step of an item of evidence must be a whole number"),
        ({"evidence": [kept(note=1)]}, "note of an item of evidence must be a text"),
        ({"evidence": [kept(span=[1.0])]}, r"span of an item of evidence must be \[start, end\]"),
        ({"truth": ["ab"]}, r"a span of truth must be \[start, end\] in seconds, got 'ab'"),
        ({"truth": [[2.0, 1.0]]}, "a span of truth"),
        ({"needs": [["a", "b"]]}, "a span of needs"),
        ({"needs": [[0.0, float("inf")]]}, "a span of needs"),
        ({"usage": {}}, "usage must hold steps, frames, .*, got -"),
        ({"usage": USAGE | {"steps": "x"}}, "usage 'steps' must be an int from 0 to .*got 'x'"),
        ({"usage": USAGE | {"frames": 10**400}}, "usage 'frames' must be an int"),
        ({"usage": USAGE | {"frames": -1}}, "usage 'frames' must be an int from 0"),
        ({"actions": {"EXPAND": 0.5}}, "actions 'EXPAND' must be an int"),
        ({"looked": [1] * 99}, "looked must hold 0 or 100 counts, got 99"),
        ({"looked": [0] * 99 + [-1]}, "looked must hold whole numbers from 0, got -1"),
        ({"looked": [10**400] * 100}, "looked must hold whole numbers"),
        ({"duration_seconds": float("inf")}, "duration_seconds must lie in"),
        ({"duration_seconds": -1.0}, "duration_seconds must lie in"),
        ({"duration_seconds": 5e-324}, "duration_seconds must lie in"),
        ({"timing": {"seconds": float("inf")}}, "timing 'seconds' must be a float"),
        ({"chance": float("nan")}, r"chance must lie in \[0, 1\], got nan"),
        ({"coverage_dead": float("nan")}, "coverage_dead must lie in"),
        ({"coverage_explored": 1.1}, "coverage_explored must lie in"),
        ({"task_index": -1}, "task_index must lie in"),
        ({"depth": -1}, "depth must be a whole number from 0 or auto, got -1"),
        ({"depth": "deep"}, "depth must be a whole number from 0 or auto"),
        ({"family": "\ud800"}, "family must be a text of at most 200 characters"),
        ({"family": "x" * 201}, "family must be a text of at most 200 characters"),
        ({"group": "x" * 5000}, "group must have at most 4096 characters"),
    ],
)
def test_nested_fields_hold_what_can_be_averaged_and_drawn(changes, message):
    with pytest.raises(ValueError, match=message):
        made_record(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": [[0], 1]}, "a depth other than auto must be a whole number from 0, got"),
        ({"depths": [0, 1, "x"]}, "a depth other than auto must be a whole number from 0, got 'x'"),
        ({"depths": []}, "depths must be a list of one or more, got"),
        ({"depths": [0, 1, 1]}, "entries of depths must differ"),
        ({"policies": [{"name": "bfs"}] * 2}, "entries of policies must differ"),
        ({"policies": [{"name": ["bfs"]}]}, "name of an entry of policies must be a text"),
        ({"policies": ["bfs"]}, "an entry of policies must be an object, got 'bfs'"),
        ({"policies": [{"name": ""}]}, "an entry of policies must have a name"),
        ({"task_sets": None}, "task_sets must be a list of one or more, got None"),
        ({"budgets": [{"name": "steps=x"}]}, "a budget is none, frames=N or steps=N"),
        ({"budgets": [{"name": "steps=05"}]}, "a budget is none, frames=N or steps=N"),
        ({"episodes": 10**400}, "episodes must be a whole number from 1"),
        ({"episodes": 0}, "episodes must be a whole number from 1, got 0"),
        ({"max_steps": "x"}, "max_steps must be a whole number from 1, got 'x'"),
    ],
)
def test_arguments_that_no_table_has_room_for_are_refused(tmp_path, changes, message):
    run = write_run(tmp_path, config_of() | changes, lambda h: [made(config_hash=h)])
    sentence = outcome(run)
    assert (
        message in sentence and f"{str(run / 'config.json')!r} is none of a comparison" in sentence
    )


def test_what_lies_at_the_limits_is_drawn(tmp_path):
    most = {name: 2**53 for name in USAGE}
    extreme = {
        "duration_seconds": 1e12,
        "truth": [[-1e12, 1e12], [0.0, 0.0]],
        "evidence": [item(1e12, (-1e12, 1e12), -1e12)],
        "kind": "temporal_grounding",
        "looked": [2**53] * 100,
        "usage": most,
        "family": "$x_$" * 50,
        "timing": {"seconds": 5e-324},
    }
    short = {"duration_seconds": 1e-9, "timing": {"seconds": 1e12}, "policy": "bfs"}
    run = write_run(
        tmp_path,
        config_of(),
        lambda h: [made(config_hash=h, **extreme), made(config_hash=h, **extreme | short)],
    )
    text = write_report([run])
    assert text.count(".png)") == 4 and not re.search(r"\b(nan|inf)\b", text)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_only_python_takes_for_json_is_named(tmp_path, constant):
    run = one_record_run(tmp_path)
    for file in (run / "records.jsonl", run / "config.json"):
        text = re.sub(r"(seconds|seed)\": [\d.]+", rf'\1": {constant}', file.read_text())
        file.write_text(text)
        assert f"it holds {constant}, which is no number of JSON" in outcome(run)
