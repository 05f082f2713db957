"""What every other package stands on: records, errors, files, run directories."""
