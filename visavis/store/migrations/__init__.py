"""Migrations, run by the server itself when it opens its database."""
