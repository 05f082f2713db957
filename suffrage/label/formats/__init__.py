"""What people said, as files for training and for other programs."""

from suffrage.label.formats.export import ExportReport, LeftOut, export
from suffrage.label.formats.rows import FORMATS

__all__ = ["FORMATS", "ExportReport", "LeftOut", "export"]
