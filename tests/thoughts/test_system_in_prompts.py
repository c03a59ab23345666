"""What the corpus tells its agent, in the requests to a model that writes or judges thoughts."""

from __future__ import annotations

from multisteps import read_bundled, settings

from coalm_it.llm.request import Request
from coalm_it.schema import Dialogue, Place
from coalm_it.thoughts.annotate import plan_annotation
from coalm_it.thoughts.framed import FramedDialogue
from coalm_it.thoughts.judge import plan_judgement
from coalm_it.thoughts.rewrite import plan_rewriting

POLICY = "Never book after 21:00."


def told(later: str = "") -> FramedDialogue:
    """A bundled dialogue whose corpus tells its agent something, at the beginning and before the second turn."""
    framed = read_bundled("1_00002")
    turns = list(framed.dialogue.turns)
    turns[1] = turns[1].model_copy(update={"system": later})
    dialogue: Dialogue = framed.dialogue.model_copy(update={"system": POLICY, "turns": tuple(turns)})
    return FramedDialogue(dialogue, framed.tools, framed.checks)


def list_requests(framed: FramedDialogue) -> list[Request]:
    judged = plan_judgement(framed, {Place(0, None): "They want a table."}, 50)
    return [
        next(next(plan_annotation(framed, settings()))),
        next(next(judged)),
        next(plan_rewriting(framed, settings(writer="rewrite"))),
    ]


def test_every_request_shows_it_above_the_functions() -> None:
    for request in list_requests(told("The guest is verified.")):
        text = request.messages[1]["content"]
        assert 0 < text.index(f"<system>\n{POLICY}\n</system>\n\nFunctions:") < text.index("User:")
        second = read_bundled("1_00002").dialogue.turns[1].user
        assert f"System: The guest is verified.\nUser: {second}" in text


def test_without_it_a_request_is_what_it_was() -> None:
    for request in list_requests(read_bundled("1_00002")):
        text = request.messages[1]["content"]
        assert text.startswith("Today is Friday, 2019-03-01.\n\nFunctions:\n")
        assert "System:" not in text
