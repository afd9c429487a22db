"""Where dialogues are reported to, one setting a project."""

from __future__ import annotations

from visavis.api.services.buckets import deliverable
from visavis.api.services.single import Setting, serve_setting

serve_setting(
    Setting(kind="dialog_report_config", ahead=deliverable("enable_dialog_report")),
    create="create_dialog_report_config",
    show="show_dialog_report_config",
    update="update_dialog_report_config",
    delete="delete_dialog_report_config",
)
