"""What somebody may do in a project."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A viewer looks; an operator uses and changes, too; an admin manages identities and agencies, too."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def allows(self, wanted: Role) -> bool:
        """Whether it is ``wanted`` or more."""
        return _ORDER.index(self) >= _ORDER.index(wanted)


_ORDER = list(Role)


def lesser(*roles: str) -> Role:
    """The role that allows least of those given (by name)."""
    return min((Role(role) for role in roles), key=_ORDER.index)
