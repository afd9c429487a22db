"""Uploaded pictures and videos."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "assets",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="IMAGE, VIDEO"),
        sa.Column("state", sa.String(length=16), nullable=False, comment="CREATING, FAILED, UNACTIVED, ACTIVED"),
        sa.Column("settings", sa.JSON(), nullable=False, comment="as accepted"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_assets_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assets")),
    )
    op.create_index("ix_assets_project", "assets", ["project_id", "created_at"])
    op.create_table(
        "asset_files",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("asset_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("md5", sa.String(length=24), nullable=False, comment="Base64; empty: not told"),
        sa.Column("extension", sa.String(length=8), nullable=False, comment="empty until the content is known"),
        sa.Column(
            "state", sa.String(length=16), nullable=False, comment="CREATING, UPLOADED, CREATED, FAILED, CANCELLED"
        ),
        sa.Column("meta", sa.JSON(), nullable=False, comment="width, height"),
        sa.Column(
            "upload_hash", sa.String(length=64), nullable=False, comment="SHA-256 of the upload's token; empty: used"
        ),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_asset_files_project_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["assets.id"], name=op.f("fk_asset_files_asset_id_assets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_files")),
    )
    op.create_index(op.f("ix_asset_files_asset_id"), "asset_files", ["asset_id"])


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_asset_files_asset_id"), table_name="asset_files")
    op.drop_table("asset_files")
    op.drop_index("ix_assets_project", table_name="assets")
    op.drop_table("assets")
