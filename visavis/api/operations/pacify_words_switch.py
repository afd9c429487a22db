"""Whether a robot speaks pacify words, by language."""

from __future__ import annotations

from visavis.api.services.pacifying import serve_per_language
from visavis.api.services.robot_words import SWITCH

serve_per_language(SWITCH, show="show_pacify_words_switch", update="update_pacify_words_switch")
