"""The published API as data: types, ranges, enums, error codes and the job's states. It serves no HTTP itself."""
