"""Assets of every type: the recycle bin, files of several categories and in parts, sharing, transfers, replication."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ASSETS: tuple[sa.Column[Any], ...] = (
    sa.Column(
        "app_user_id",
        sa.String(length=128),
        nullable=False,
        server_default="",
        comment="X-App-UserId of who made it",
    ),
    sa.Column("reason", sa.Text(), nullable=False, server_default="", comment="why it is FAILED or frozen"),
    sa.Column("version", sa.Integer(), nullable=False, server_default="1", comment="1, and one more with each change"),
    sa.Column(
        "state_before",
        sa.String(length=16),
        nullable=False,
        server_default="",
        comment="of what lies in the recycle bin",
    ),
    sa.Column("bin_until", sa.Double(), nullable=True, comment="NULL: not in the recycle bin"),
    sa.Column("due_at", sa.Double(), nullable=True, comment="when something is to happen to it by itself; NULL: never"),
)
_FILES = (
    sa.Column("category", sa.String(length=16), nullable=False, server_default="MAIN", comment="asset_file_category"),
    sa.Column("parts", sa.Integer(), nullable=False, server_default="0", comment="0: it comes in one piece"),
    sa.Column("reason", sa.Text(), nullable=False, server_default="", comment="why it is FAILED"),
)

_COMMENTS = (
    ("assets", "kind", "IMAGE, VIDEO", "asset_type"),
    ("assets", "state", "CREATING, FAILED, UNACTIVED, ACTIVED", "asset_state"),
    ("asset_files", "size", None, "as announced; of parts without a sum: what has come"),
    ("asset_files", "meta", "width, height", "what the content was found to be"),
)


def _comment(*, back: bool) -> None:
    # SQLite has no comments.
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, column, before, after in _COMMENTS:
        old, new = (after, before) if back else (before, after)
        op.alter_column(table, column, comment=new, existing_comment=old)


def upgrade() -> None:
    """Apply."""
    # Never in a batch: SQLite would drop the table and, with it, every file that refers to it.
    for column in _ASSETS:
        op.add_column("assets", column.copy())
    op.create_index("ix_assets_due", "assets", ["due_at"])
    with op.batch_alter_table("asset_files") as batch:
        batch.alter_column("size", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
        for column in _FILES:
            batch.add_column(column.copy())
    _comment(back=False)
    op.create_index("ix_asset_files_state", "asset_files", ["state", "expires_at"])
    op.create_table(
        "asset_parts",
        sa.Column("file_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="from 1 on"),
        sa.Column(
            "upload_hash",
            sa.String(length=64),
            nullable=False,
            comment="SHA-256 of the part's token; empty: it has come",
        ),
        sa.Column("size", sa.BigInteger(), nullable=True, comment="NULL: it has not come"),
        sa.ForeignKeyConstraint(
            ["file_id"], ["asset_files.id"], name=op.f("fk_asset_parts_file_id_asset_files"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", "number", name=op.f("pk_asset_parts")),
    )
    op.create_table(
        "asset_shares",
        sa.Column("asset_id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False, comment="that may use it; it need not exist"),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["assets.id"], name=op.f("fk_asset_shares_asset_id_assets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("asset_id", "project_id", name=op.f("pk_asset_shares")),
    )
    op.create_index(op.f("ix_asset_shares_project_id"), "asset_shares", ["project_id"])
    op.create_table(
        "asset_transfers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="TRANSFER_OUT, TRANSFER_BACK"),
        sa.Column("source_id", sa.String(length=64), nullable=False),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("assets", sa.JSON(), nullable=False, comment="[{asset_id, asset_name, asset_type}] as they were"),
        sa.Column("state", sa.String(length=16), nullable=False, comment="PROCESSING, ACCEPT, REJECT, CANCEL, FAIL"),
        sa.Column("memo", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="why it is REJECT"),
        sa.Column("error_code", sa.String(length=32), nullable=False, comment="why it is FAIL"),
        sa.Column("error_msg", sa.Text(), nullable=False),
        sa.Column("activates", sa.Boolean(), nullable=False),
        sa.Column("billed", sa.Boolean(), nullable=False, comment="then accepting takes two steps"),
        sa.Column("accepted", sa.Boolean(), nullable=False, comment="the first of the two is done"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["projects.id"], name=op.f("fk_asset_transfers_source_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["target_id"], ["projects.id"], name=op.f("fk_asset_transfers_target_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_transfers")),
    )
    op.create_index("ix_asset_transfers_source", "asset_transfers", ["source_id", "created_at"])
    op.create_index("ix_asset_transfers_target", "asset_transfers", ["target_id", "created_at"])
    op.create_index("ix_asset_transfers_open", "asset_transfers", ["state", "expires_at"])
    op.create_table(
        "asset_replications",
        sa.Column(
            "hash", sa.String(length=64), nullable=False, comment="SHA-256 of a replication information that was used"
        ),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_asset_replications")),
    )
    op.create_index(op.f("ix_asset_replications_expires_at"), "asset_replications", ["expires_at"])


def downgrade() -> None:
    """Undo. The older version knows pictures and videos with one file each: what else there is, it does not get to see."""
    for table in ("asset_replications", "asset_transfers", "asset_shares", "asset_parts"):
        op.drop_table(table)
    op.execute("DELETE FROM asset_files WHERE category <> 'MAIN' OR parts > 0 OR size > 2147483647")
    op.execute("DELETE FROM assets WHERE kind NOT IN ('IMAGE', 'VIDEO') OR state IN ('DELETING', 'BLOCK')")
    op.execute("UPDATE assets SET state = 'ACTIVED' WHERE state = 'WAITING_DELETE'")
    op.drop_index("ix_asset_files_state", "asset_files")
    with op.batch_alter_table("asset_files") as batch:
        for column in _FILES:
            batch.drop_column(column.name)
        batch.alter_column("size", existing_type=sa.BigInteger(), type_=sa.Integer(), existing_nullable=False)
    op.drop_index("ix_assets_due", "assets")
    _comment(back=True)
    for column in _ASSETS:
        op.drop_column("assets", column.name)
