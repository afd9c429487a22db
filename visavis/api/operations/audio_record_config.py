"""Where the sound of conversations is recorded to, one setting a project."""

from __future__ import annotations

from visavis.api.services.buckets import deliverable
from visavis.api.services.single import Setting, serve_setting

serve_setting(
    Setting(kind="audio_record_config", ahead=deliverable("enable_audio_record")),
    create="create_audio_record_config",
    show="show_audio_record_config",
    update="update_audio_record_config",
    delete="delete_audio_record_config",
)
