"""What will be said somewhere before anybody came: what is synthesised ahead, of a job or of a room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict, Field

from visavis.session.spec import RobotSpec, VoiceSpec
from visavis.speech.types import Language


class Sayable(BaseModel):
    """Texts and files of texts, and the voices that say them. It holds no credentials.

    Attributes:
        first: said as it is: the welcome, and what soothes who waits.
        replies: to instructions, said sentence by sentence.
        knowledge: stored answers, paths that the worker can read; None: those of the installation.
        libraries: knowledge libraries, paths that the worker can read.
        languages: that may be spoken, the likeliest first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    voices: list[VoiceSpec]
    default_language: Language
    languages: list[Language]
    first: list[str] = Field(default_factory=list)
    replies: list[str] = Field(default_factory=list)
    knowledge: list[str] | None = None
    libraries: list[str] = Field(default_factory=list)


def sayable(
    robot: RobotSpec, voices: Sequence[VoiceSpec], language: Language | None, default_language: Language
) -> Sayable | None:
    """What that robot may say in a room with these voices; None: what it says is told by somebody else.

    ``language``: the only one that it speaks; None: it follows who speaks with it.
    """
    if robot.driven:
        return None
    other: Language = "en" if default_language == "zh" else "zh"
    languages: list[Language] = [default_language, other] if language is None else [language]
    role = robot.role
    return Sayable(
        voices=list(voices),
        default_language=default_language,
        languages=languages,
        first=list(_first(robot, languages)),
        replies=list(_replies(robot, languages)),
        knowledge=_knowledge(robot),
        libraries=[
            library.file for one in languages for library in (role.libraries.get(one, []) if role is not None else [])
        ],
    )


def _first(robot: RobotSpec, languages: Sequence[Language]) -> Iterator[str]:
    yield robot.welcome
    for language in languages:
        if (words := robot.pacify.get(language)) is not None:
            yield from words.general
            for texts in words.by_intent.values():
                yield from texts


def _replies(robot: RobotSpec, languages: Sequence[Language]) -> Iterator[str]:
    for instruction in robot.role.instructions if robot.role is not None else ():
        for language in languages:
            reply = instruction.replies.get(language, "")
            if "{" not in reply:  # else it is another one with every slot that is filled
                yield reply


def _knowledge(robot: RobotSpec) -> list[str] | None:
    """As ``visavis.dialogue.factory`` chooses: what visavis knows about itself is for who knows nothing else."""
    if robot.llm is not None or robot.vendor is not None:
        return []
    if robot.knowledge:
        return list(robot.knowledge)
    role = robot.role
    return [] if role is not None and (role.llm is not None or any(role.libraries.values())) else None
