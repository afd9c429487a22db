"""Where dialogues are to be reported to, one setting a project. Kept only: nothing reports yet."""

from __future__ import annotations

from visavis.api.services.buckets import checked
from visavis.api.services.single import Setting, serve_setting

serve_setting(
    Setting(kind="dialog_report_config", prepare=checked),
    create="create_dialog_report_config",
    show="show_dialog_report_config",
    update="update_dialog_report_config",
    delete="delete_dialog_report_config",
)
