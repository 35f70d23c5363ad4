"""A spec names a policy, its width and its scorer; a wrong one is answered with a sentence."""

import pickle

import pytest
from drawn import DrawnSource, one_task_of_each_kind, play

from policies.base import Policy
from policies.reading import READERS, ScoreReader, TruthReader
from policies.relevance import SCORERS, Combined
from policies.scorers import ColourShare, PictureSimilarity, SubtitleMatch
from policies.table import POLICIES, make_policy
from policies.traversal import Beam, BestFirst
from videoatlas_gym.span import Span

SEARCHES = ("uniform", "bfs", "dfs", "best-first", "beam", "adaptive", "exhaustive")
OTHERS = ("random", "hoarder", "oracle")


def test_the_searches_and_the_others_are_all_there_are():
    assert set(POLICIES) == {*SEARCHES, *OTHERS}


@pytest.mark.parametrize(
    ("spec", "kind", "scorer"),
    [
        ("best-first", BestFirst, Combined),
        ("best-first@subtitles", BestFirst, SubtitleMatch),
        ("beam:4", Beam, Combined),
        ("beam:4@colour", Beam, ColourShare),
        ("beam@picture", Beam, PictureSimilarity),
    ],
)
def test_a_spec_says_what_a_policy_is_made_of(spec, kind, scorer):
    policy = make_policy(spec)
    assert type(policy) is kind and type(policy.scorer) is scorer
    assert policy.name == spec
    if kind is Beam:
        assert policy.width == (4 if ":4" in spec else 3)


def test_the_spec_of_one_policy_does_not_rename_others():
    make_policy("beam:7")
    assert Beam.name == make_policy("beam").name == "beam"


def test_scorer_and_reader_are_for_all_that_take_them_and_a_spec_names_its_own():
    policy = make_policy("bfs", scorer="change", reader="truth")
    assert type(policy.scorer) is SCORERS["change"] and type(policy.reader) is TruthReader
    assert policy.reads_truth and not policy.is_privileged
    assert type(make_policy("bfs@colour", scorer="change").scorer) is ColourShare
    assert type(make_policy("random").reader) is ScoreReader
    assert make_policy("hoarder", scorer="change", reader="truth").reads_truth
    assert not make_policy("oracle", scorer="change", reader="truth").reads_truth


def test_two_policies_share_no_scorer_and_no_reader():
    first, second = make_policy("bfs@subtitles"), make_policy("bfs@subtitles")
    assert first.scorer is not second.scorer and first.reader is not second.reader


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("beem", r"unknown policy 'beem'\. Did you mean 'beam'\?"),
        ("", r"unknown policy ''\. Known: "),
        ("beam:0", r"a width must be a whole number, 1 or more, got '0' in 'beam:0'"),
        ("beam:", r"1 or more, got '' in 'beam:'"),
        ("beam:-2", r"1 or more, got '-2'"),
        ("beam:1.5", r"1 or more, got '1\.5'"),
        ("beam:x@colour", r"1 or more, got 'x'"),
        ("bfs:3", r"bfs takes no width, got 'bfs:3'\. Write 'bfs', or add ':4' .*: beam\.$"),
        ("oracle:3", r"oracle takes no width"),
        ("bfs@subtitels", r"unknown scorer 'subtitels'\. Did you mean 'subtitles'\?"),
        ("bfs@", r"unknown scorer ''"),
        ("bfs@colour@change", r"unknown scorer 'colour@change'"),
        ("bfs@colour:3", r"unknown scorer 'colour:3'"),
        ("random@colour", r"random takes no scorer, got 'random@colour'\. Write 'random', or add"),
        ("hoarder@colour", r"takes no scorer.*: uniform, bfs, dfs, best-first, beam,"),
        ("oracle@colour", r"oracle takes no scorer"),
    ],
)
def test_a_wrong_spec_is_answered_with_a_sentence(spec, message):
    with pytest.raises(ValueError, match=message) as error:
        make_policy(spec)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", POLICIES)
def test_unknown_scorers_and_readers_are_refused_for_every_policy(name):
    with pytest.raises(ValueError, match=r"unknown scorer 'color'\. Did you mean 'colour'"):
        make_policy(name, scorer="color")
    with pytest.raises(ValueError, match=r"unknown reader 'true'"):
        make_policy(name, reader="true")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("spec", [*POLICIES, "beam:2@subtitles"])
def test_a_policy_can_be_pickled_before_and_after_an_episode(spec, reader):
    task = one_task_of_each_kind(DrawnSource(64.0), Span(20.0, 22.0))["multiple_choice"]
    policy = make_policy(spec, reader=reader)
    copy = pickle.loads(pickle.dumps(policy))
    assert copy.name == spec and copy.reads_truth == policy.reads_truth
    first = play(policy, task, seed=3, max_steps=40).trajectory
    assert play(copy, task, seed=3, max_steps=40).trajectory == first


def test_a_policy_of_somebody_else_needs_to_know_nothing_of_specs(monkeypatch):
    monkeypatch.setitem(POLICIES, "mine", type("Mine", (Policy,), {"name": "mine"}))
    assert make_policy("mine").name == "mine"
    with pytest.raises(ValueError, match="mine takes no scorer"):
        make_policy("mine@colour")
