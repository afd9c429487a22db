"""Buckets of projects, what is to be delivered to them, and the turns of dialogue reports."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "buckets",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column(
            "endpoint", sa.String(length=256), nullable=False, comment="scheme://host:port of the S3-compatible store"
        ),
        sa.Column("region", sa.String(length=64), nullable=False),
        sa.Column("path_style", sa.Boolean(), nullable=False, comment="the bucket's name in the path, not in the host"),
        sa.Column("aliases", sa.JSON(), nullable=False, comment="other endpoints in requests that mean this one"),
        sa.Column("access_key", sa.String(length=128), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False, comment="encrypted"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_buckets_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_buckets")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="dialog, audio"),
        sa.Column("part", sa.Integer(), nullable=False, comment="1 and up; 0: of audio, while it is recorded"),
        sa.Column("app_user_id", sa.String(length=128), nullable=False, comment="X-App-UserId of who started the job"),
        sa.Column("rtc_user_id", sa.String(length=64), nullable=False, comment="the job's END_USER"),
        sa.Column("bucket", sa.String(length=64), nullable=False),
        sa.Column("object_key", sa.String(length=512), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False, comment="OPEN, WAITING, DELIVERED, ERASING"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False, comment="of WAITING and ERASING: not before"),
        sa.Column("since", sa.Double(), nullable=False, comment="when it came into this state"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why the last attempt failed"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_deliveries_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["state", "due_at"])
    op.create_index("ix_deliveries_job", "deliveries", ["job_id", "kind", "part"], unique=True)
    op.create_index("ix_deliveries_app_user", "deliveries", ["project_id", "app_user_id"])
    op.create_index("ix_deliveries_rtc_user", "deliveries", ["project_id", "rtc_user_id"])
    op.create_table(
        "turns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.String(length=32), nullable=False),
        sa.Column("chat_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False, comment="when the answer was over"),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("answered", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("interrupted", sa.Boolean(), nullable=False),
        sa.Column("stages", sa.JSON(), nullable=False, comment="seconds since the end of the question"),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_turns_delivery_id_deliveries"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turns")),
    )
    op.create_index("ix_turns_delivery", "turns", ["delivery_id", "id"])


def downgrade() -> None:
    """Undo. What was not delivered yet is lost; objects in buckets stay."""
    op.drop_index("ix_turns_delivery", table_name="turns")
    op.drop_table("turns")
    for name in ("due", "job", "app_user", "rtc_user"):
        op.drop_index(f"ix_deliveries_{name}", table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_table("buckets")
