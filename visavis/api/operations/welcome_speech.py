"""Welcome speeches: what a robot says to whoever comes."""

from __future__ import annotations

from visavis.api.services.languages import serve_by_language
from visavis.api.services.welcome import SPEECHES

serve_by_language(
    SPEECHES,
    list="list_welcome_speech",
    create="create_welcome_speech",
    show="show_welcome_speech",
    update="update_welcome_speech",
    delete=("delete_welcome_speech",),
)
