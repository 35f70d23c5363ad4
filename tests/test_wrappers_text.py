"""Text as arrays: words of any script become features of a fixed length that never change."""

import numpy as np
import pytest
from worlds import DrawnSource, choice, same, small_env, spoken, walk

from videoatlas_gym import ArrayObservation
from videoatlas_gym.wrappers import text_features, words


def test_arrays_lie_in_the_space_and_hold_no_text():
    env = ArrayObservation(
        small_env(choice(DrawnSource(), subtitles=spoken(256.0)), traversal="bfs")
    )
    for observation, *_ in walk(env, 40):
        assert env.observation_space.contains(observation)
    assert not {"query", "subtitles"} & set(observation)
    assert observation["query_features"].shape == (256,)


def test_features_tell_options_their_order_and_subtitles_apart():
    def features(key, **task):
        return ArrayObservation(small_env(choice(DrawnSource(), **task))).reset()[0][key]

    one = features("option_features", options=("red", "blue", "green"))
    assert not same(one, features("option_features", options=("blue", "red", "green")))
    assert same(one, features("option_features", options=("Red", "BLUE", "green!")))
    assert not features("subtitle_features").any()
    assert features("subtitle_features", subtitles=spoken(256.0)).any()


def test_features_have_unit_length_and_never_change():
    assert np.linalg.norm(text_features("which ball is red")) == pytest.approx(1.0)
    assert not text_features("?!").any()
    features = text_features("which ball")
    assert {int(i): round(float(features[i]), 3) for i in np.flatnonzero(features)} == {
        97: 0.577,
        191: -0.577,
        245: -0.577,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ｗhich 紅い ball_2?", ["which", "紅", "い", "ball", "2"]),
        ("iPhone手机2台a", ["iphone", "手", "机", "2", "台", "a"]),
        ("ที่นี่ ไหน", ["ที่นี่", "ไหน"]),
        ("हिन्दी में?", ["हिन्दी", "में"]),
        ("\u26a0\ufe0fLe\u0301a x\u0323", ["léa", "x\u0323"]),
        ("?!_\u0301", []),
    ],
    ids=["wide", "han among letters", "thai", "devanagari", "accents", "none"],
)
def test_words_of_any_script(text, expected):
    assert words(text) == expected
