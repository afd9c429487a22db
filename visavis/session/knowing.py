"""From the settings to what conversations know besides their robot: the operator's services, and the question audit."""

from __future__ import annotations

from typing import cast

from visavis.dialogue.assistant.plugins import PluginServices, Service
from visavis.dialogue.audit.audited import Auditor, AuditSettings
from visavis.dialogue.audit.model import Moderator
from visavis.settings import Settings
from visavis.speech.types import Language
from visavis.urlpolicy import OPERATORS


def plugin_services(settings: Settings) -> PluginServices:
    """The weather and search services of the operator."""
    return PluginServices(
        weather=Service(settings.weather_provider, settings.weather_url, settings.weather_key),
        search=Service(settings.search_provider, settings.search_url, settings.search_key),
        place=settings.weather_place,
        urls={provider.lower(): url for provider, url in settings.plugin_urls.items()},
    )


def create_auditor(settings: Settings) -> Auditor:
    """The question audit (blocking: it reads the word lists). Raises VisavisError: a list cannot be used."""
    moderator = Moderator(settings.audit_url, settings.audit_model, settings.audit_key) if settings.audit_url else None
    words = {cast(Language, language): path for language, path in settings.audit_words.items()}
    told = AuditSettings(words, moderator, settings.audit_plugin, settings.audit_wait_s, settings.audit_open)
    return Auditor(told, OPERATORS)
