"""Roles, keys of users that end, temporary keys, codes of one room, locks, and the audit log.

Until now whoever was let into a project could do everything there: those memberships and keys become an admin's.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "memberships",
        sa.Column(
            "role", sa.String(length=16), nullable=False, server_default="admin", comment="viewer, operator, admin"
        ),
    )
    with op.batch_alter_table("access_keys") as batch:
        batch.add_column(sa.Column("user_id", sa.String(length=32), nullable=True, comment="NULL: nobody's"))
        batch.add_column(
            sa.Column(
                "role", sa.String(length=16), nullable=False, server_default="admin", comment="the most it allows"
            )
        )
        batch.add_column(sa.Column("expires_at", sa.Double(), nullable=True, comment="NULL: never"))
        batch.add_column(
            sa.Column(
                "token_hash",
                sa.String(length=64),
                nullable=False,
                server_default="",
                comment="of a temporary key's security token",
            )
        )
        batch.add_column(
            sa.Column(
                "parent",
                sa.String(length=64),
                nullable=False,
                server_default="",
                comment="AK that the temporary key was made with",
            )
        )
        batch.create_foreign_key(op.f("fk_access_keys_user_id_users"), "users", ["user_id"], ["id"], ondelete="CASCADE")
        batch.create_index("ix_access_keys_user", ["user_id"])
    op.add_column(
        "once_codes",
        sa.Column("room_id", sa.String(length=32), nullable=False, server_default="", comment="empty: for any room"),
    )
    op.create_table(
        "attempts",
        sa.Column(
            "hash", sa.String(length=64), nullable=False, comment="SHA-256 of what is guessed, or of who guesses"
        ),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("locked_until", sa.Double(), nullable=False, comment="0: not locked"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_last_at"), "attempts", ["last_at"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column(
            "project_id",
            sa.String(length=64),
            nullable=False,
            comment="no foreign key: the log outlives what it tells of",
        ),
        sa.Column(
            "user_id",
            sa.String(length=32),
            nullable=False,
            comment="empty: a key that is nobody's, or the command line",
        ),
        sa.Column("ak", sa.String(length=64), nullable=False, comment="empty: not signed"),
        sa.Column("operation", sa.String(length=128), nullable=False),
        sa.Column("target", sa.String(length=128), nullable=False, comment="id of what was changed, where it is known"),
        sa.Column("status", sa.Integer(), nullable=False, comment="HTTP status; 0: the command line"),
        sa.Column("error_code", sa.String(length=32), nullable=False, comment="empty: it worked"),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"])
    op.create_index("ix_audit_project", "audit", ["project_id", "at"])


def downgrade() -> None:
    """Undo. Keys that were more limited than the older version knows are removed, not widened."""
    op.drop_table("audit")
    op.drop_table("attempts")
    op.execute("DELETE FROM once_codes WHERE room_id <> ''")
    op.drop_column("once_codes", "room_id")
    op.execute("DELETE FROM access_keys WHERE role <> 'admin' OR expires_at IS NOT NULL OR token_hash <> ''")
    with op.batch_alter_table("access_keys") as batch:
        batch.drop_index("ix_access_keys_user")
        batch.drop_constraint(op.f("fk_access_keys_user_id_users"), type_="foreignkey")
        for column in ("user_id", "role", "expires_at", "token_hash", "parent"):
            batch.drop_column(column)
    op.execute("DELETE FROM memberships WHERE role <> 'admin'")
    op.drop_column("memberships", "role")
