"""What survives a restart: projects, users, keys, tokens, robots, rooms, jobs and one-time codes."""
