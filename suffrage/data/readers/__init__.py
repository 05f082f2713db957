"""One small reader a format; each recognises a row by its own fields."""
