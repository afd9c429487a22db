"""Where the sound of conversations is to be recorded to, one setting a project. Kept only: nothing records yet."""

from __future__ import annotations

from visavis.api.services.buckets import checked
from visavis.api.services.single import Setting, serve_setting

serve_setting(
    Setting(kind="audio_record_config", prepare=checked),
    create="create_audio_record_config",
    show="show_audio_record_config",
    update="update_audio_record_config",
    delete="delete_audio_record_config",
)
