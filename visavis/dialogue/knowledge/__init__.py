"""Knowledge files: questions and answers in YAML, or the same in JSON (``.json``; the server writes those).

A file looks like this (``visavis.yaml`` beside this module is a whole one)::

    format: visavis-knowledge
    version: 1
    aliases:                       # optional: how a recogniser misspells a name
      visavis: [vis a vis, 微萨维]
    entries:
      - id: opening-hours
        tags: [visit]              # optional, for people
        keywords: [MX-200]         # optional: exact names and codes that point to this entry
        questions:
          en:
            - When are you open?
            - What are the opening hours?
          zh:
            - 几点开门？
        answers:                   # spoken word for word, at least one language
          en: We are open from nine to five.
          zh: 我们早上九点到下午五点开放。
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from visavis.errors import VisavisError
from visavis.speech.types import Language

SHIPPED: Final = Path(__file__).with_name("visavis.yaml")
"""What visavis knows about itself."""

_MAX_BYTES: Final = {"yaml": 8 * 1024 * 1024, "json": 128 * 1024 * 1024}
"""Of one file; YAML is read slowly."""

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
_Answer = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=16384)]
_Texts = Annotated[list[_Text], Field(min_length=1, max_length=200)]


class KnowledgeError(VisavisError):
    """A knowledge file cannot be used; the message names file, entry and field."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Strict):
    """One fact: ways to ask for it and what is spoken then."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    tags: tuple[_Text, ...] = ()
    keywords: tuple[_Text, ...] = ()
    questions: dict[Language, _Texts] = Field(min_length=1)
    answers: dict[Language, _Answer] = Field(min_length=1)

    def answer(self, language: Language) -> tuple[str, Language]:
        """The answer and its language: the wanted one if there is one, else the other."""
        if language in self.answers:
            return self.answers[language], language
        other = next(iter(self.answers))
        return self.answers[other], other


class _File(_Strict):
    format: Literal["visavis-knowledge"]
    version: Literal[1]
    aliases: dict[_Text, list[_Text]] = Field(default_factory=dict)
    entries: list[Entry] = Field(min_length=1)


class Knowledge(_Strict):
    """The entries of one or more files. ``aliases``: misspelling -> name."""

    entries: tuple[Entry, ...]
    aliases: dict[str, str] = Field(default_factory=dict)


def load(paths: Iterable[Path | str] = (SHIPPED,)) -> Knowledge:
    """Read knowledge files. Raises KnowledgeError with all that is wrong in the first bad file."""
    entries: dict[str, Entry] = {}
    aliases: dict[str, str] = {}
    for path in map(Path, paths):
        parsed = _read(path)
        for entry in parsed.entries:
            if entry.id in entries:
                raise KnowledgeError(f"{path.name}: entry {entry.id!r} exists twice")
            entries[entry.id] = entry
        for name, spellings in parsed.aliases.items():
            aliases.update(dict.fromkeys(spellings, name))
    if not entries:
        raise KnowledgeError("no knowledge file was given")
    return Knowledge(entries=tuple(entries.values()), aliases=aliases)


def _read(path: Path) -> _File:
    kind = "json" if path.suffix == ".json" else "yaml"
    most = _MAX_BYTES[kind]
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise KnowledgeError(f"{path.name}: cannot be read: {error.strerror}") from error
    if len(data) > most:
        raise KnowledgeError(f"{path.name}: larger than {most // 1024 // 1024} MiB")
    try:
        raw = json.loads(data) if kind == "json" else yaml.safe_load(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise KnowledgeError(f"{path.name}: not UTF-8") from error
    except json.JSONDecodeError as error:
        raise KnowledgeError(f"{path.name} line {error.lineno}: not JSON: {error.msg}") from error
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise KnowledgeError(f"{path.name}{line}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise KnowledgeError(f"{path.name}: not YAML") from error
    if not isinstance(raw, dict):
        raise KnowledgeError(f"{path.name}: wanted a mapping with format, version and entries")
    try:
        return _File.model_validate(raw)
    except ValidationError as error:
        problems = [_explain(raw, e["loc"], e["msg"]) for e in error.errors()[:5]]
        raise KnowledgeError(f"{path.name}: {'; '.join(problems)}") from error


def _explain(raw: dict[str, object], location: tuple[int | str, ...], message: str) -> str:
    """Name an entry by its id instead of by its number."""
    where = ".".join(str(part) for part in location)
    entries = raw.get("entries")
    if len(location) >= 2 and location[0] == "entries" and isinstance(entries, list):
        number = location[1]
        entry = entries[number] if isinstance(number, int) and number < len(entries) else None
        name = entry.get("id") if isinstance(entry, dict) else None
        rest = ".".join(str(part) for part in location[2:])
        where = f"entry {name or f'number {int(number) + 1}'!r}" + (f" {rest}" if rest else "")
    return f"{where}: {message}"
