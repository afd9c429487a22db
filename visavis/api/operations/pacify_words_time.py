"""After how long a robot speaks pacify words, by language."""

from __future__ import annotations

from visavis.api.services.pacifying import serve_per_language
from visavis.api.services.robot_words import TRIGGER_TIME

serve_per_language(TRIGGER_TIME, show="show_pacify_words_trigger_time", update="update_pacify_words_trigger_time")
