"""Records: what the API stores by kind."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "records",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=False, comment="empty: none"),
        sa.Column("name", sa.String(length=256), nullable=False, comment="what lists are searched by"),
        sa.Column("app_user_id", sa.String(length=128), nullable=False, comment="X-App-UserId of who made it"),
        sa.Column("document", sa.JSON(), nullable=False, comment="without secrets"),
        sa.Column("secrets", sa.Text(), nullable=False, comment="encrypted JSON; empty: none"),
        sa.Column("version", sa.Integer(), nullable=False, comment="1, and one more with each change"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_records_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "kind", "id", name=op.f("pk_records")),
    )
    op.create_index("ix_records_page", "records", ["project_id", "kind", "created_at", "id"])
    op.create_index("ix_records_children", "records", ["project_id", "kind", "parent_id", "created_at", "id"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_records_children", table_name="records")
    op.drop_index("ix_records_page", table_name="records")
    op.drop_table("records")
