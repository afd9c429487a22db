"""Bring your own person: an avatar pack from a film of someone talking, or from a photo. Importing this package is light."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from visavis.errors import VisavisError

if TYPE_CHECKING:
    from visavis.avatar.importing.filmed import Report

PHOTOS: Final = frozenset({".png", ".jpg", ".jpeg", ".webp"})


def id_of(name: str) -> str:
    """An avatar's id from a name: lower-case letters, digits, - and _."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:63] or "imported"


def import_person(
    source: Path,
    out: Path,
    *,
    consent: str,
    consent_by: str,
    name: str | None = None,
    avatar_id: str | None = None,
    licence: str = "private: use only as agreed in the consent",
    min_seconds: float | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Report:
    """Make the avatar pack ``out`` (a .zip file) of the person in ``source``, a film or a photo (by its name's ending).

    Args:
        consent: what the depicted person agreed to, in their words, 10 to 2000 characters. consent_by: who gave it.
        name: for people; by default the file's name. avatar_id: what a room's avatar is called; by default from the name.
        min_seconds: the shortest film that is taken, 60 by default.
        progress: called with (done, total, what is done now).

    Raises:
        VisavisError: there is no consent, or the source is not fit (:class:`~.environment.ImportRefused`); the message says
            why, and nothing is written.
    """
    if len(consent.strip()) < 10 or not consent_by.strip():
        raise VisavisError(
            "an import needs the consent of the person shown: what they agreed to (10 characters or more), and who said so"
        )
    label = name or source.stem
    chosen = avatar_id or id_of(label)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", chosen):
        raise VisavisError(f"{chosen!r} cannot be an avatar's id: lower-case letters, digits, - and _, at most 63")
    if not source.is_file():
        raise VisavisError(f"{source}: there is no such file")

    from visavis.avatar.importing.packing import Person
    from visavis.avatar.manifest import Consent

    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    agreed = Consent(statement=consent.strip()[:2000], given_by=consent_by.strip()[:200], date=today)
    person = Person(chosen, label[:80], licence, agreed)
    if source.suffix.lower() in PHOTOS:
        from visavis.avatar.importing.photo import import_photo

        return import_photo(source, out, person, progress=progress)
    from visavis.avatar.importing.filmed import import_film
    from visavis.avatar.importing.judge import MIN_SECONDS

    least = MIN_SECONDS if min_seconds is None else min_seconds
    return import_film(source, out, person, progress=progress, min_seconds=least)
