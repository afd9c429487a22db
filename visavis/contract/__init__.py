"""The published API as data: types, ranges, enums, error codes. It does not know that HTTP exists."""
