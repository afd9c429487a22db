"""The HTTP server: identity, validation, routes, services."""
