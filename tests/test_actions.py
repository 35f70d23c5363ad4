"""The action table: its codes, words, tool schemas, and replies that cannot be trusted."""

import json
import math

import numpy as np
import pytest

from videoatlas_gym.actions import (
    ACTIONS,
    MAX_CHOICES,
    Action,
    codes,
    decode,
    describe,
    encode,
    from_tool_call,
    num_actions,
    tool_schema,
)

ORDER = (
    "EXPAND",
    "ZOOM",
    "INVESTIGATE_BEFORE",
    "INVESTIGATE_AFTER",
    "ADD_TO_SCRATCHPAD",
    "MARK_PROMISING",
)
UNCLEAN = [
    *(10**400, -(10**400), 1e308, -1, -1.0, 1.5, math.nan, math.inf, -math.inf),
    *(True, False, None, "3", "", b"3", [3], (3,), {"x": 3}, {3}, 3j),
]


@pytest.mark.parametrize("n", [4, 9, 64])
def test_codes_are_laid_out_as_the_design_says(n):
    assert num_actions(n) == 6 * n + 2 + 8
    for position, verb in enumerate(ORDER):
        assert codes(verb, n) == slice(position * n, (position + 1) * n)
    assert codes("BACKTRACK", n) == slice(6 * n, 6 * n + 1)
    assert codes("FINISHED", n) == slice(6 * n + 1, 6 * n + 2)
    assert codes("ANSWER", n) == slice(6 * n + 2, 6 * n + 10)
    assert tuple(ACTIONS) == (*ORDER, "BACKTRACK", "FINISHED", "ANSWER")
    assert MAX_CHOICES == 8


@pytest.mark.parametrize("n", [4, 9, 25, 64])
def test_encode_and_decode_are_a_bijection(n):
    actions = [decode(code, n) for code in range(num_actions(n))]
    assert [encode(action, n) for action in actions] == list(range(num_actions(n)))
    assert len(set(actions)) == num_actions(n)
    assert actions[0] == Action("EXPAND", 0)
    assert actions[-1] == Action("ANSWER", answer=7)


def test_numpy_codes_decode_to_plain_indices():
    for code in (np.int64(70), np.int32(70), np.uint8(70), 70.0):
        action = decode(code, 64)
        assert action == Action("ZOOM", 6)
        assert type(action.cell) is int


@pytest.mark.parametrize("cell", [np.int64(3), np.uint8(3), 3.0])
def test_indices_become_plain_integers(cell):
    action = Action("EXPAND", cell)
    assert type(action.cell) is int
    assert json.loads(json.dumps(action.to_json())) == {"verb": "EXPAND", "cell": 3}


@pytest.mark.parametrize("code", [-1, 394, 10**400, 1.5, math.nan, math.inf])
def test_codes_outside_the_space_raise(code):
    with pytest.raises(ValueError):
        decode(code, 64)


@pytest.mark.parametrize(
    "action", [Action("EXPAND", 64), Action("ZOOM", 10**400), Action("ANSWER", answer=8)]
)
def test_indices_too_large_for_the_space_raise(action):
    with pytest.raises(ValueError, match="outside the action space"):
        encode(action, 64)


@pytest.mark.parametrize("verb", ORDER)
def test_cell_verbs_need_a_cell_and_nothing_else(verb):
    with pytest.raises(ValueError, match=f"{verb} takes a cell"):
        Action(verb)
    with pytest.raises(ValueError, match=f"{verb} takes a cell"):
        Action(verb, 1, answer=1)


def test_other_verbs_refuse_a_cell():
    for verb in ("BACKTRACK", "FINISHED"):
        with pytest.raises(ValueError, match=f"{verb} takes no argument"):
            Action(verb, 0)
    with pytest.raises(ValueError, match="ANSWER takes"):
        Action("ANSWER", 0)


@pytest.mark.parametrize("index", [-1, 1.5, True, "3", math.nan, math.inf])
def test_an_action_refuses_what_is_no_index(index):
    with pytest.raises(ValueError):
        Action("EXPAND", index)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, math.nan, math.inf, "1", None])
def test_an_action_refuses_a_confidence_outside_zero_to_one(confidence):
    with pytest.raises(ValueError, match="confidence must"):
        Action("ADD_TO_SCRATCHPAD", 1, confidence=confidence)


def test_an_action_refuses_a_note_that_is_no_text():
    with pytest.raises(ValueError, match="note must be a string"):
        Action("ADD_TO_SCRATCHPAD", 1, note=["x"])


@pytest.mark.parametrize("verb", [*ACTIONS])
def test_actions_survive_json(verb):
    argument = {"cell": {"cell": 5}, "answer": {"answer": 5}, None: {}}[ACTIONS[verb].argument]
    for extra in ({}, {"note": "a red car"}, {"confidence": 0.0}):
        action = Action(verb, **argument, **extra)
        assert Action.from_json(json.loads(json.dumps(action.to_json()))) == action


def test_actions_read_as_verb_and_index():
    shown = [str(Action("EXPAND", 0)), str(Action("ANSWER", answer=0)), str(Action("BACKTRACK"))]
    assert shown == ["EXPAND 0", "ANSWER 0", "BACKTRACK"]


def test_describe_names_ranges_of_what_is_legal():
    mask = np.zeros(num_actions(64), np.int8)
    assert describe(mask, 64) == ""
    mask[codes("EXPAND", 64)] = 1
    mask[[64 + 3, 64 + 5, 64 + 6]] = 1
    mask[codes("FINISHED", 64)] = 1
    mask[-8:-5] = 1
    assert describe(mask, 64) == "EXPAND 0-63, ZOOM 3,5-6, FINISHED, ANSWER 0-2"


@pytest.mark.parametrize("n", [4, 64])
@pytest.mark.parametrize("verb", [*ACTIONS])
def test_tool_schemas_are_valid_and_say_what_the_action_takes(verb, n):
    schema = tool_schema(verb, n, num_options=4)
    function = json.loads(json.dumps(schema))["function"]
    parameters = function["parameters"]
    assert (schema["type"], function["name"]) == ("function", verb.lower())
    assert function["description"] == ACTIONS[verb].help
    assert (parameters["type"], parameters["additionalProperties"]) == ("object", False)
    assert set(parameters["required"]) <= set(parameters["properties"])
    argument = ACTIONS[verb].argument
    assert parameters["required"] == ([argument] if argument else [])
    for name, entry in parameters["properties"].items():
        assert entry["type"] == {"note": "string", "confidence": "number"}.get(name, "integer")
        assert entry["description"]
        assert entry.get("minimum", 0) <= entry.get("maximum", 0)
    if argument:
        limit = {"cell": n, "answer": 4}[argument]
        assert parameters["properties"][argument]["maximum"] == limit - 1


def test_options_are_not_counted_row_by_row():
    for n in (4, 64):
        schema = tool_schema("ANSWER", n, num_options=4)
        words = schema["function"]["parameters"]["properties"]["answer"]["description"]
        assert "row" not in words


@pytest.mark.parametrize("verb", [*ACTIONS])
def test_what_a_schema_describes_is_read_as_the_action(verb):
    properties = tool_schema(verb, 64)["function"]["parameters"]["properties"]
    values = {"cell": 63, "answer": 7, "note": "seen", "confidence": 0.8}
    arguments = {name: values[name] for name in properties}
    action = from_tool_call(verb.lower(), arguments)
    assert action == Action(verb, **arguments)
    assert decode(encode(action, 64), 64).argument == action.argument


def test_a_whole_float_from_json_is_an_index():
    action = from_tool_call("expand", {"cell": 3.0})
    assert action == Action("EXPAND", 3) and type(action.cell) is int


@pytest.mark.parametrize("value", UNCLEAN, ids=lambda value: repr(value)[:12])
def test_unclean_arguments_are_refused_with_a_sentence(value):
    calls = [
        ("expand", {"cell": value}),
        ("answer", {"answer": value}),
        ("add_to_scratchpad", {"cell": 1, "confidence": value}),
        ("expand", value),
        (value, {"cell": 1}),
    ]
    if not isinstance(value, str):
        calls.append(("add_to_scratchpad", {"cell": 1, "note": value}))
    for name, arguments in calls:
        with pytest.raises(ValueError) as refusal:
            encode(from_tool_call(name, arguments), 64)
        assert len(str(refusal.value)) < 2000


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"cell": 1, "x": 2},
        {"cell": 1, "verb": "ZOOM"},
        {"cell": 1, 1: 2},
        {"cell": 1, None: 2},
        {"answer": 1},
        {"cell": 1, "answer": 1},
        {"cell": [1, 2]},
    ],
)
def test_missing_and_unknown_keys_are_refused(arguments):
    with pytest.raises(ValueError, match="EXPAND|cell"):
        from_tool_call("EXPAND", arguments)


def test_a_hostile_reply_does_not_flood_the_next_prompt():
    for name, arguments in (("x" * 10**6, {}), ("zoom", {"cell": 1, "x": "y" * 10**6})):
        with pytest.raises(ValueError) as refusal:
            from_tool_call(name, arguments)
        assert len(str(refusal.value)) < 2000


@pytest.mark.parametrize(
    ("typed", "meant"), [("expnd", "EXPAND"), ("add_scratchpad", "ADD_TO_SCRATCHPAD")]
)
def test_unknown_verbs_get_a_suggestion(typed, meant):
    with pytest.raises(ValueError, match=f"Did you mean '{meant}'"):
        from_tool_call(typed, {"cell": 1})
    with pytest.raises(ValueError, match=f"Did you mean '{meant}'"):
        Action(typed.upper(), 1)


def test_a_verb_like_nothing_known_gets_the_list():
    with pytest.raises(ValueError, match="Known: ADD_TO_SCRATCHPAD, ANSWER, BACKTRACK"):
        Action("QQQQ")
    with pytest.raises(ValueError, match="Did you mean 'ZOOM'"):
        codes("ZOOMM", 64)
