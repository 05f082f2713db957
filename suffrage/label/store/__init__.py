"""The project's database: what is judged, by whom, and what they said; SQLite or PostgreSQL."""
