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
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("ak", String(64), primary_key=True),
    Column("sk", Text, nullable=False, comment="encrypted"),
    Column("project_id", String(64), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
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
