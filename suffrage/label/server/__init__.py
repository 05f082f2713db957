"""The web page where people judge, and the team's view of it."""

from suffrage.label.server.app import create_app, serve
from suffrage.label.server.settings import Settings
from suffrage.label.server.workers import serve_by

__all__ = ["Settings", "create_app", "serve", "serve_by"]
