"""What to look up on the plant: questions with drawings, and what observations leave, beside the probabilities."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from leafid.errors import UsageError
from leafid.identify import (
    Description,
    Judgement,
    LookedUpCharacter,
    judge,
    looked_up_character,
    next_questions,
    taxa_left,
)
from leafid.serve.errors import RequestError

router = APIRouter(prefix="/v1", tags=["leafid"])

_ERRORS: dict[int | str, dict[str, Any]] = {400: {"description": "There is no such character or state."}}
_Name = Annotated[str, Field(max_length=200)]
_MOST = 1000
"""Entries that a request may have; a bundle has fewer taxa."""


class FloraSays(BaseModel):
    """What a flora says about a character of a taxon."""

    taxon: str
    words: str
    source: str


class JudgedState(BaseModel):
    """A state of a character: its words, its drawing, and what it says about taxa.

    `left` are the taxa whose sources agree with it, `undescribed` those of them on which no source describes the
    character; `against` has what the floras say of the others.
    """

    state: str
    words: str
    drawing: str
    drawing_shows: str
    left: list[str]
    undescribed: list[str]
    against: list[FloraSays]


class NextQuestion(BaseModel):
    """A character to look up on the plant."""

    character: str
    organ: str
    question: str
    where: str
    states: list[JudgedState]


class Observed(BaseModel):
    """The taxa in question, and what was seen.

    `taxa` are those that cannot be excluded, with their probabilities. `shown` are the measured characters that the
    photo shows clearly. `observed` has the state of each character that was looked up, null where it cannot be seen.
    """

    model_config = ConfigDict(extra="forbid")

    taxa: dict[_Name, Annotated[float, Field(ge=0, le=1)]] = Field(max_length=_MOST)
    shown: list[_Name] = Field(default=[], max_length=_MOST)
    observed: dict[_Name, _Name | None] = Field(default={}, max_length=_MOST)


class Observation(BaseModel):
    """A character that was looked up: the state seen, null where it cannot be seen, and what it says about the taxa."""

    character: str
    question: str
    seen: JudgedState | None


class QuestionsAnswer(BaseModel):
    """The taxa that all observations together leave, what each says, and the questions that remain."""

    left: list[str]
    observations: list[Observation]
    questions: list[NextQuestion]


@router.post("/questions", response_model=QuestionsAnswer, responses=_ERRORS)
async def questions(given: Observed) -> QuestionsAnswer:
    """Say which taxa observations leave, and what to look up next. The probabilities do not change."""
    seen = {name: state for name, state in given.observed.items() if state is not None}
    try:
        left = taxa_left(seen, given.taxa)
        observations = [
            Observation(
                character=name,
                question=looked_up_character(name).question,
                seen=None if state is None else judged_state(looked_up_character(name), state, given.taxa),
            )
            for name, state in given.observed.items()
        ]
    except UsageError as error:
        raise RequestError(400, f"observed: {error}") from None
    open_ = {name: given.taxa[name] for name in left}
    remaining = next_questions(open_, shown=given.shown, asked=given.observed)
    return QuestionsAnswer(
        left=list(left),
        observations=observations,
        questions=[next_question(character, open_) for character in remaining],
    )


def next_question(character: LookedUpCharacter, taxa: Mapping[str, float]) -> NextQuestion:
    """Return a question about taxa, in the form of the service."""
    return NextQuestion(
        character=character.name,
        organ=character.organ,
        question=character.question,
        where=character.where,
        states=[judged_state(character, state.name, taxa) for state in character.states],
    )


def judged_state(character: LookedUpCharacter, state: str, taxa: Mapping[str, float]) -> JudgedState:
    """Return a state with what it says about taxa, in the form of the service."""
    known, judgement = character.state(state), judge(character, state, taxa)
    return JudgedState(
        state=state,
        words=known.words,
        drawing=f"static/states/{character.name}/{state}.svg",
        drawing_shows=known.drawing,
        left=list(judgement.left),
        undescribed=list(judgement.unknown),
        against=_said(judgement),
    )


def _said(judgement: Judgement) -> list[FloraSays]:
    each: list[tuple[str, Description]] = [(name, one) for name, said in judgement.against.items() for one in said]
    return [FloraSays(taxon=name, words=one.words, source=one.source) for name, one in each]
