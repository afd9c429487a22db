"""Rooms, robots and jobs: whose they are, their versions, and how many there are."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_THINGS = ("rooms", "robots")
_INDEXES = {
    "rooms": {
        "ix_rooms_project": ["project_id", "created_at", "id"],
        "ix_rooms_app_user": ["project_id", "app_user_id", "created_at", "id"],
        "ix_rooms_robot": ["project_id", "robot_id"],
    },
    "robots": {
        "ix_robots_project": ["project_id", "created_at", "id"],
        "ix_robots_app_user": ["project_id", "app_user_id", "created_at", "id"],
        "ix_robots_room": ["project_id", "room_id", "created_at"],
    },
    "jobs": {
        "ix_jobs_room": ["project_id", "room_id", "created_at", "id"],
        "ix_jobs_room_state": ["project_id", "room_id", "state", "created_at", "id"],
    },
    "records": {"ix_records_parent": ["project_id", "parent_id"]},
}
_BEFORE = {
    "rooms": {"ix_rooms_project": ["project_id", "created_at"]},
    "robots": {"ix_robots_project": ["project_id", "created_at"]},
    "jobs": {"ix_jobs_room": ["project_id", "room_id", "created_at"]},
}


def upgrade() -> None:
    """Apply."""
    for table in (*_THINGS, "jobs"):
        op.add_column(
            table,
            sa.Column(
                "app_user_id",
                sa.String(length=128),
                nullable=False,
                server_default="",
                comment="X-App-UserId of who made it",
            ),
        )
    for table in _THINGS:
        op.add_column(
            table,
            sa.Column(
                "version",
                sa.Integer(),
                nullable=False,
                server_default="1",
                comment="1, and one more with each change",
            ),
        )
    _replace(_BEFORE, _INDEXES)
    op.create_table(
        "tallies",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="rooms, robots, jobs"),
        sa.Column("scope", sa.String(length=32), nullable=False, comment="of jobs: their room; else empty"),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False, comment="of rooms: the sum of their concurrency"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_tallies_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "kind", "scope", name=op.f("pk_tallies")),
    )
    for query in (
        "SELECT project_id, 'rooms', '', count(*), sum(concurrency) FROM rooms GROUP BY project_id",
        "SELECT project_id, 'robots', '', count(*), 0 FROM robots GROUP BY project_id",
        "SELECT project_id, 'jobs', room_id, count(*), 0 FROM jobs GROUP BY project_id, room_id",
    ):
        op.execute(f"INSERT INTO tallies (project_id, kind, scope, count, total) {query}")


def downgrade() -> None:
    """Undo. The older version does not tell third-party users apart."""
    op.drop_table("tallies")
    _replace(_INDEXES, _BEFORE)
    for table in _THINGS:
        op.drop_column(table, "version")
    for table in (*_THINGS, "jobs"):
        op.drop_column(table, "app_user_id")


def _replace(old: dict[str, dict[str, list[str]]], new: dict[str, dict[str, list[str]]]) -> None:
    for table, indexes in old.items():
        for name in indexes:
            op.drop_index(name, table_name=table)
    for table, indexes in new.items():
        for name, columns in indexes.items():
            op.create_index(name, table, columns)
