"""The storage ports on SQLAlchemy Core: SQLite (WAL) and PostgreSQL from the same tables."""
