"""The tables. Times are epoch seconds (double precision); ids are 32 hexadecimal digits unless said otherwise.

Every query of a project's things names its ``project_id``: projects never see each other.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

projects = Table(
    "projects",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("rtc_app_id", String(64), nullable=False, unique=True),
    Column("rtc_app_key", Text, nullable=False, comment="encrypted"),
    Column("created_at", Double, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("password_hash", Text, nullable=False, comment="argon2id"),
    Column("created_at", Double, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", String(32), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(16), nullable=False, server_default="admin", comment="viewer, operator, admin"),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("ak", String(64), primary_key=True),
    Column("sk", Text, nullable=False, comment="encrypted"),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("user_id", String(32), ForeignKey("users.id", ondelete="CASCADE"), nullable=True, comment="NULL: nobody's"),
    Column("role", String(16), nullable=False, server_default="admin", comment="the most it allows"),
    Column("expires_at", Double, nullable=True, comment="NULL: never"),
    Column("token_hash", String(64), nullable=False, server_default="", comment="of a temporary key's security token"),
    Column("parent", String(64), nullable=False, server_default="", comment="AK that the temporary key was made with"),
    Index("ix_access_keys_user", "user_id"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("hash", String(64), primary_key=True, comment="SHA-256 of the token"),
    Column("user_id", String(32), ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=True),
    Column("issued_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

robots = Table(
    "robots",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("app_type", Integer, nullable=False),
    Column("robot_type", String(16), nullable=False),
    Column("room_id", String(32), nullable=False, comment="empty: of no room"),
    Column("settings", JSON, nullable=False, comment="as accepted, without secrets"),
    Column("secrets", Text, nullable=False, comment="encrypted JSON"),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("app_user_id", String(128), nullable=False, server_default="", comment="X-App-UserId of who made it"),
    Column("version", Integer, nullable=False, server_default="1", comment="1, and one more with each change"),
    Index("ix_robots_project", "project_id", "created_at", "id"),
    Index("ix_robots_app_user", "project_id", "app_user_id", "created_at", "id"),
    Index("ix_robots_room", "project_id", "room_id", "created_at"),
)

rooms = Table(
    "rooms",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(256), nullable=False),
    Column("robot_id", String(32), nullable=False, comment="empty: none"),
    Column("concurrency", Integer, nullable=False),
    Column("settings", JSON, nullable=False, comment="as accepted"),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("app_user_id", String(128), nullable=False, server_default="", comment="X-App-UserId of who made it"),
    Column("version", Integer, nullable=False, server_default="1", comment="1, and one more with each change"),
    Index("ix_rooms_project", "project_id", "created_at", "id"),
    Index("ix_rooms_app_user", "project_id", "app_user_id", "created_at", "id"),
    Index("ix_rooms_robot", "project_id", "robot_id"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    # No foreign key: what ran in a room stays on record when the room is gone.
    Column("room_id", String(32), nullable=False),
    Column("robot_id", String(32), nullable=False),
    Column("rtc_room_id", String(32), nullable=False, unique=True),
    Column("state", String(16), nullable=False, index=True),
    Column("chat_state", Integer, nullable=False),
    Column("linked", Boolean, nullable=False, comment="whether the END_USER's media ever flowed"),
    Column("finish_reason", String(16), nullable=False),
    Column("error_code", String(32), nullable=False),
    Column("error_msg", Text, nullable=False),
    Column("language", String(16), nullable=False),
    Column("users", JSON, nullable=False, comment="[{user_type, user_id}]"),
    Column("settings", JSON, nullable=False, comment="what the job was started with"),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double, nullable=True),
    Column("ended_at", Double, nullable=True),
    Column("updated_at", Double, nullable=False),
    Column("app_user_id", String(128), nullable=False, server_default="", comment="X-App-UserId of who made it"),
    Index("ix_jobs_room", "project_id", "room_id", "created_at", "id"),
    Index("ix_jobs_room_state", "project_id", "room_id", "state", "created_at", "id"),
)

tallies = Table(
    "tallies",
    metadata,
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True, comment="rooms, robots, jobs"),
    Column("scope", String(32), primary_key=True, comment="of jobs: their room; else empty"),
    Column("count", Integer, nullable=False),
    Column("total", Integer, nullable=False, comment="of rooms: the sum of their concurrency"),
)

once_codes = Table(
    "once_codes",
    metadata,
    Column("hash", String(64), primary_key=True, comment="SHA-256 of the code"),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    Column("used_at", Double, nullable=True),
    Column("room_id", String(32), nullable=False, server_default="", comment="empty: for any room"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("hash", String(64), primary_key=True, comment="SHA-256 of what is guessed, or of who guesses"),
    Column("failures", Integer, nullable=False),
    Column("last_at", Double, nullable=False, index=True),
    Column("locked_until", Double, nullable=False, comment="0: not locked"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Double, nullable=False, index=True),
    Column("project_id", String(64), nullable=False, comment="no foreign key: the log outlives what it tells of"),
    Column("user_id", String(32), nullable=False, comment="empty: a key that is nobody's, or the command line"),
    Column("ak", String(64), nullable=False, comment="empty: not signed"),
    Column("operation", String(128), nullable=False),
    Column("target", String(128), nullable=False, comment="id of what was changed, where it is known"),
    Column("status", Integer, nullable=False, comment="HTTP status; 0: the command line"),
    Column("error_code", String(32), nullable=False, comment="empty: it worked"),
    Column("request_id", String(64), nullable=False),
    Index("ix_audit_project", "project_id", "at"),
)

assets = Table(
    "assets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(256), nullable=False),
    Column("kind", String(16), nullable=False, comment="asset_type"),
    Column("state", String(16), nullable=False, comment="asset_state"),
    Column("settings", JSON, nullable=False, comment="as accepted"),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("app_user_id", String(128), nullable=False, server_default="", comment="X-App-UserId of who made it"),
    Column("reason", Text, nullable=False, server_default="", comment="why it is FAILED or frozen"),
    Column("version", Integer, nullable=False, server_default="1", comment="1, and one more with each change"),
    Column("state_before", String(16), nullable=False, server_default="", comment="of what lies in the recycle bin"),
    Column("bin_until", Double, nullable=True, comment="NULL: not in the recycle bin"),
    Column("due_at", Double, nullable=True, comment="when something is to happen to it by itself; NULL: never"),
    Index("ix_assets_project", "project_id", "created_at"),
    Index("ix_assets_due", "due_at"),
)

asset_files = Table(
    "asset_files",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("asset_id", String(32), ForeignKey("assets.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(256), nullable=False),
    Column("size", BigInteger, nullable=False, comment="as announced; of parts without a sum: what has come"),
    Column("md5", String(24), nullable=False, comment="Base64; empty: not told"),
    Column("extension", String(8), nullable=False, comment="empty until the content is known"),
    Column("state", String(16), nullable=False, comment="CREATING, UPLOADED, CREATED, FAILED, CANCELLED"),
    Column("meta", JSON, nullable=False, comment="what the content was found to be"),
    Column("upload_hash", String(64), nullable=False, comment="SHA-256 of the upload's token; empty: used"),
    Column("expires_at", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("category", String(16), nullable=False, server_default="MAIN", comment="asset_file_category"),
    Column("parts", Integer, nullable=False, server_default="0", comment="0: it comes in one piece"),
    Column("reason", Text, nullable=False, server_default="", comment="why it is FAILED"),
    Index("ix_asset_files_state", "state", "expires_at"),
)

asset_parts = Table(
    "asset_parts",
    metadata,
    Column("file_id", String(32), ForeignKey("asset_files.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, comment="from 1 on"),
    Column("upload_hash", String(64), nullable=False, comment="SHA-256 of the part's token; empty: it has come"),
    Column("size", BigInteger, nullable=True, comment="NULL: it has not come"),
)

asset_shares = Table(
    "asset_shares",
    metadata,
    Column("asset_id", String(32), ForeignKey("assets.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", String(64), primary_key=True, index=True, comment="that may use it; it need not exist"),
    Column("expires_at", Double, nullable=False),
)

asset_transfers = Table(
    "asset_transfers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False, comment="TRANSFER_OUT, TRANSFER_BACK"),
    Column("source_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("target_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("assets", JSON, nullable=False, comment="[{asset_id, asset_name, asset_type}] as they were"),
    Column("state", String(16), nullable=False, comment="PROCESSING, ACCEPT, REJECT, CANCEL, FAIL"),
    Column("memo", Text, nullable=False),
    Column("reason", Text, nullable=False, comment="why it is REJECT"),
    Column("error_code", String(32), nullable=False, comment="why it is FAIL"),
    Column("error_msg", Text, nullable=False),
    Column("activates", Boolean, nullable=False),
    Column("billed", Boolean, nullable=False, comment="then accepting takes two steps"),
    Column("accepted", Boolean, nullable=False, comment="the first of the two is done"),
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double, nullable=True),
    Column("expires_at", Double, nullable=False),
    Index("ix_asset_transfers_source", "source_id", "created_at"),
    Index("ix_asset_transfers_target", "target_id", "created_at"),
    Index("ix_asset_transfers_open", "state", "expires_at"),
)

asset_replications = Table(
    "asset_replications",
    metadata,
    Column("hash", String(64), primary_key=True, comment="SHA-256 of a replication information that was used"),
    Column("expires_at", Double, nullable=False, index=True),
)

records = Table(
    "records",
    metadata,
    # The id is unique within its kind only: settings are kept under the id of what they belong to.
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("parent_id", String(64), nullable=False, comment="empty: none"),
    Column("name", String(256), nullable=False, comment="what lists are searched by"),
    Column("app_user_id", String(128), nullable=False, comment="X-App-UserId of who made it"),
    Column("document", JSON, nullable=False, comment="without secrets"),
    Column("secrets", Text, nullable=False, comment="encrypted JSON; empty: none"),
    Column("version", Integer, nullable=False, comment="1, and one more with each change"),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("ix_records_page", "project_id", "kind", "created_at", "id"),
    Index("ix_records_children", "project_id", "kind", "parent_id", "created_at", "id"),
    Index("ix_records_parent", "project_id", "parent_id"),
)

buckets = Table(
    "buckets",
    metadata,
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("endpoint", String(256), nullable=False, comment="scheme://host:port of the S3-compatible store"),
    Column("region", String(64), nullable=False),
    Column("path_style", Boolean, nullable=False, comment="the bucket's name in the path, not in the host"),
    Column("aliases", JSON, nullable=False, comment="other endpoints in requests that mean this one"),
    Column("access_key", String(128), nullable=False),
    Column("secret", Text, nullable=False, comment="encrypted"),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("job_id", String(32), nullable=False),
    Column("kind", String(16), nullable=False, comment="dialog, audio"),
    Column("part", Integer, nullable=False, comment="1 and up; 0: of audio, while it is recorded"),
    Column("app_user_id", String(128), nullable=False, comment="X-App-UserId of who started the job"),
    Column("rtc_user_id", String(64), nullable=False, comment="the job's END_USER"),
    Column("bucket", String(64), nullable=False),
    Column("object_key", String(512), nullable=False),
    Column("state", String(16), nullable=False, comment="OPEN, WAITING, DELIVERED, ERASING"),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Double, nullable=False, comment="of WAITING and ERASING: not before"),
    Column("since", Double, nullable=False, comment="when it came into this state"),
    Column("reason", Text, nullable=False, comment="why the last attempt failed"),
    Column("created_at", Double, nullable=False),
    Index("ix_deliveries_due", "state", "due_at"),
    Index("ix_deliveries_job", "job_id", "kind", "part", unique=True),
    Index("ix_deliveries_app_user", "project_id", "app_user_id"),
    Index("ix_deliveries_rtc_user", "project_id", "rtc_user_id"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("delivery_id", String(32), ForeignKey("deliveries.id", ondelete="CASCADE"), nullable=False),
    Column("chat_id", String(64), nullable=False),
    Column("at", Double, nullable=False, comment="when the answer was over"),
    Column("asked", Text, nullable=False),
    Column("answered", Text, nullable=False),
    Column("language", String(16), nullable=False),
    Column("interrupted", Boolean, nullable=False),
    Column("stages", JSON, nullable=False, comment="seconds since the end of the question"),
    Column("citations", JSON, nullable=False, server_default="[]", comment="what the answer was taken from"),
    Column("refused", Boolean, nullable=False, server_default=false(), comment="by the question audit"),
    Index("ix_turns_delivery", "delivery_id", "id"),
)
