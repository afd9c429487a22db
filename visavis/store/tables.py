"""The tables. Times are epoch seconds (double precision); ids are 32 hexadecimal digits unless said otherwise.

Every query of a project's things names its ``project_id``: projects never see each other.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
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
    Index("ix_robots_project", "project_id", "created_at"),
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
    Index("ix_rooms_project", "project_id", "created_at"),
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
    Index("ix_jobs_room", "project_id", "room_id", "created_at"),
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
    Column("kind", String(16), nullable=False, comment="IMAGE, VIDEO"),
    Column("state", String(16), nullable=False, comment="CREATING, FAILED, UNACTIVED, ACTIVED"),
    Column("settings", JSON, nullable=False, comment="as accepted"),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("ix_assets_project", "project_id", "created_at"),
)

asset_files = Table(
    "asset_files",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("asset_id", String(32), ForeignKey("assets.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(256), nullable=False),
    Column("size", Integer, nullable=False),
    Column("md5", String(24), nullable=False, comment="Base64; empty: not told"),
    Column("extension", String(8), nullable=False, comment="empty until the content is known"),
    Column("state", String(16), nullable=False, comment="CREATING, UPLOADED, CREATED, FAILED, CANCELLED"),
    Column("meta", JSON, nullable=False, comment="width, height"),
    Column("upload_hash", String(64), nullable=False, comment="SHA-256 of the upload's token; empty: used"),
    Column("expires_at", Double, nullable=False),
    Column("created_at", Double, nullable=False),
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
)
