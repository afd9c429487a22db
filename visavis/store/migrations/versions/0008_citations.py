"""Of the turns of dialogue reports: what the answer was taken from, and whether the question was refused."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("turns") as batch:
        batch.add_column(
            sa.Column(
                "citations", sa.JSON(), nullable=False, server_default="[]", comment="what the answer was taken from"
            )
        )
        batch.add_column(
            sa.Column(
                "refused", sa.Boolean(), nullable=False, server_default=sa.false(), comment="by the question audit"
            )
        )


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("turns") as batch:
        batch.drop_column("refused")
        batch.drop_column("citations")
