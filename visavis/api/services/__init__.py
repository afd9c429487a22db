"""The rules of rooms, robots and jobs, between the routes and the store."""
