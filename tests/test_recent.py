"""The last results of something costly stay, in a bounded number."""

import copy
import pickle

from videoatlas_gym.recent import Recent


def counted(made):
    """Return a maker that notes each key it makes a value for."""
    return lambda key: made.append(key) or f"value of {key}"


def test_a_value_is_made_once_while_it_is_among_the_last():
    recent, made = Recent(2), []
    make = counted(made)
    for key in "abababca":
        assert recent.get(key, lambda key=key: make(key)) == f"value of {key}"
    assert made == ["a", "b", "c", "a"]  # b was used after a when c came


def test_copies_begin_empty_with_the_same_size():
    recent, made = Recent(1), []
    recent.get("a", lambda: 1)
    for twin in (copy.copy(recent), copy.deepcopy(recent), pickle.loads(pickle.dumps(recent))):
        twin.get("a", lambda: made.append("a"))
        twin.get("b", lambda: made.append("b"))
        twin.get("a", lambda: made.append("a"))
    assert made == ["a", "b", "a"] * 3


def test_a_value_that_cannot_be_made_is_not_kept():
    recent = Recent(1)
    for answer in (ValueError, 3):
        try:
            value = recent.get("a", lambda answer=answer: 6 // (0 if answer is ValueError else 2))
        except ZeroDivisionError:
            value = None
        assert value == (None if answer is ValueError else 3)
