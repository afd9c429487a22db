"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "projects",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("rtc_app_id", sa.String(length=64), nullable=False),
        sa.Column("rtc_app_key", sa.Text(), nullable=False, comment="encrypted"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
        sa.UniqueConstraint("rtc_app_id", name=op.f("uq_projects_rtc_app_id")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False, comment="argon2id"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "access_keys",
        sa.Column("ak", sa.String(length=64), nullable=False),
        sa.Column("sk", sa.Text(), nullable=False, comment="encrypted"),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_access_keys_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ak", name=op.f("pk_access_keys")),
    )
    op.create_index(op.f("ix_access_keys_project_id"), "access_keys", ["project_id"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("room_id", sa.String(length=32), nullable=False),
        sa.Column("robot_id", sa.String(length=32), nullable=False),
        sa.Column("rtc_room_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("chat_state", sa.Integer(), nullable=False),
        sa.Column("linked", sa.Boolean(), nullable=False, comment="whether the END_USER's media ever flowed"),
        sa.Column("finish_reason", sa.String(length=16), nullable=False),
        sa.Column("error_code", sa.String(length=32), nullable=False),
        sa.Column("error_msg", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("users", sa.JSON(), nullable=False, comment="[{user_type, user_id}]"),
        sa.Column("settings", sa.JSON(), nullable=False, comment="what the job was started with"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_jobs_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("rtc_room_id", name=op.f("uq_jobs_rtc_room_id")),
    )
    op.create_index("ix_jobs_room", "jobs", ["project_id", "room_id", "created_at"], unique=False)
    op.create_index(op.f("ix_jobs_state"), "jobs", ["state"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_memberships_project_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_memberships_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "project_id", name=op.f("pk_memberships")),
    )
    op.create_table(
        "once_codes",
        sa.Column("hash", sa.String(length=64), nullable=False, comment="SHA-256 of the code"),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_once_codes_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_once_codes")),
    )
    op.create_index(op.f("ix_once_codes_expires_at"), "once_codes", ["expires_at"], unique=False)
    op.create_table(
        "robots",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("app_type", sa.Integer(), nullable=False),
        sa.Column("robot_type", sa.String(length=16), nullable=False),
        sa.Column("room_id", sa.String(length=32), nullable=False, comment="empty: of no room"),
        sa.Column("settings", sa.JSON(), nullable=False, comment="as accepted, without secrets"),
        sa.Column("secrets", sa.Text(), nullable=False, comment="encrypted JSON"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_robots_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_robots")),
    )
    op.create_index("ix_robots_project", "robots", ["project_id", "created_at"], unique=False)
    op.create_table(
        "rooms",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("robot_id", sa.String(length=32), nullable=False, comment="empty: none"),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False, comment="as accepted"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_rooms_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rooms")),
    )
    op.create_index("ix_rooms_project", "rooms", ["project_id", "created_at"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("hash", sa.String(length=64), nullable=False, comment="SHA-256 of the token"),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=True),
        sa.Column("issued_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_tokens_project_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_tokens")),
    )
    op.create_index(op.f("ix_tokens_expires_at"), "tokens", ["expires_at"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_tokens_expires_at"), table_name="tokens")
    op.drop_table("tokens")
    op.drop_index("ix_rooms_project", table_name="rooms")
    op.drop_table("rooms")
    op.drop_index("ix_robots_project", table_name="robots")
    op.drop_table("robots")
    op.drop_index(op.f("ix_once_codes_expires_at"), table_name="once_codes")
    op.drop_table("once_codes")
    op.drop_table("memberships")
    op.drop_index(op.f("ix_jobs_state"), table_name="jobs")
    op.drop_index("ix_jobs_room", table_name="jobs")
    op.drop_table("jobs")
    op.drop_index(op.f("ix_access_keys_project_id"), table_name="access_keys")
    op.drop_table("access_keys")
    op.drop_table("users")
    op.drop_table("projects")
