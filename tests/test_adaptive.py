"""The words of a question choose breadth or depth before anything is decoded."""

import pickle

import pytest
from drawn import DrawnSource, make_env, opened, play

from policies.adaptive import RULES, Adaptive, choose_traversal
from policies.traversal import BreadthFirst, DepthFirst
from videoatlas_gym.span import Span
from videoatlas_gym.tasks import MultipleChoice
from videoatlas_gym.video import TileCache

BREADTH = {
    "asks for a count": (
        "How many people walk past the camera?",
        "How often does the bell ring?",
        "In the snow chapter, how many times does a red triangle appear?",
        "What is the number of cars on the ferry?",
    ),
    "asks for an order": (
        "In the snow chapter, in which order do these three objects appear?",
        "In the desert chapter, which three places come first, in order?",
        "What is the correct sequence of these steps?",
        "Which animal appears last?",
        "Arrange the events by time.",
    ),
    "asks for a duration": (
        "How long does the blue circle stay in view?",
        "At the harbour, for how long is the red star on display?",
        "How many seconds does the blackout take?",
        "Which scene is the longest?",
    ),
    "asks for what lies before or after something": (
        "What happens after the woman opens the door?",
        "What was on the table before the fire broke out?",
        "What does the host do next?",
        "In the snow chapter, what is on display right before the red heart?",
    ),
    "asks for a summary or a list": (
        "Summarize the video.",
        "What is the main topic of the lecture?",
        "List all places that are visited.",
        "What is the film about?",
    ),
    "asks about all of the video": (
        "Which flags are shown throughout?",
        "Does the man always wear a hat?",
        "Find all moments at which a red triangle is on display.",
        "Which two teams are compared?",
    ),
}
DEPTH = {
    "asks to read something": (
        "Which digits does the red triangle carry?",
        "What does the sign at the harbour read?",
        "Which name is written on the bus?",
    ),
    "asks for one detail": (
        "Where does the man put the keys?",
        "When does the train arrive?",
        "Who opens the box?",
        "What colour is the car in the snow chapter?",
        "At what time does the clock stop?",
        "What stands next to the red car?",
        "Which of the following is held by the boy?",
        "Find the moment that this picture shows.",
    ),
    "asks for nothing that the rules know": ("Is there a red triangle?", "Tallest?", ""),
}


def pairs(table):
    return [(query, reason) for reason, queries in table.items() for query in queries]


@pytest.mark.parametrize(("query", "reason"), pairs(BREADTH))
def test_evidence_that_is_spread_out_asks_for_breadth(query, reason):
    choice = choose_traversal(query)
    assert choice.traversal == "bfs" and choice.reason.startswith(reason)


@pytest.mark.parametrize(("query", "reason"), pairs(DEPTH))
def test_one_detail_asks_for_depth(query, reason):
    choice = choose_traversal(query.upper())
    assert choice.traversal == "dfs" and choice.reason.startswith(reason)


def test_every_rule_has_its_examples():
    assert {reason for _, reason, _ in RULES} <= set(BREADTH) | set(DEPTH)


def test_the_reason_names_the_words_that_decided():
    assert choose_traversal("And how MANY?").reason == "asks for a count ('how many')"


def test_options_that_are_orders_of_the_same_parts_ask_for_breadth():
    orders = ("the dog, the cat", "the cat, the dog")
    assert choose_traversal("Which is right?", orders).traversal == "bfs"
    assert choose_traversal("Which is right?", ("a -> b -> c", "c -> b -> a")).traversal == "bfs"
    for options in ((), ("yes", "no"), ("a, b", "a, c"), ("a, b", "a, b")):
        assert choose_traversal("Which is right?", options).traversal == "dfs"


def task_asking(query):
    truth = (Span(20.0, 22.0),)
    return MultipleChoice(DrawnSource(64.0), query, options=("a", "b"), answer=0, truth=truth)


@pytest.mark.parametrize(
    ("query", "same", "other"),
    [("How many?", BreadthFirst, DepthFirst), ("Who is it?", DepthFirst, BreadthFirst)],
)
def test_it_opens_what_the_chosen_traversal_opens_and_says_why(query, same, other):
    options = {"max_depth": 2, "max_steps": 500, "min_expand_seconds": 0}
    episode = play(Adaptive(), task_asking(query), **options)
    assert opened(episode) == opened(play(same(), task_asking(query), **options))
    assert opened(episode) != opened(play(other(), task_asking(query), **options))
    texts = [event.get("text", "") for event in episode.trajectory.events]
    choice = choose_traversal(query)
    assert texts[0] == f"{choice.traversal}: {choice.reason}" and not any(texts[1:])


class Noting(Adaptive):
    """Notes how many frames of a source were decoded when it had chosen."""

    def __init__(self, source):
        super().__init__()
        self.source = source

    def prepare(self, query, options):
        super().prepare(query, options)
        self.decoded = self.source.frames_decoded


@pytest.mark.parametrize(("query", "chosen"), [("How many?", "bfs"), ("Who is it?", "dfs")])
def test_nothing_is_decoded_when_the_choice_is_made(query, chosen):
    task = task_asking(query)
    policy = Noting(task.source)
    play(policy, task, max_steps=6, cache=TileCache())
    assert policy.choice.traversal == chosen
    assert policy.decoded == 0 < task.source.frames_decoded


def test_it_chooses_anew_for_each_episode():
    policy = Adaptive()
    chosen = []
    for query in ("How many?", "Who is it?", "How many?"):
        play(policy, task_asking(query), max_steps=8)
        chosen.append(pickle.loads(pickle.dumps(policy.choice)).traversal)
    assert chosen == ["bfs", "dfs", "bfs"]


def test_a_question_that_was_not_heard_is_an_error():
    env = make_env(task_asking("Who?"), policy := Adaptive())
    policy.bind(None)
    with pytest.raises(ValueError, match="call prepare"):
        policy.reset(*env.reset(seed=0))
