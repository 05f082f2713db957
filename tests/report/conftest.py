"""A study and its page, made once for all tests that only look at them."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_reader import Page
from study_fixture import write_study

from suffrage.report import build_report


@pytest.fixture(scope="session", params=["en", "zh"])
def study_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a whole study, in each language."""
    folder = tmp_path_factory.mktemp(f"study-{request.param}")
    study = write_study(folder / "study", request.param)
    return build_report([study], folder / "report.html", lang=request.param)


@pytest.fixture(scope="session")
def study_html(study_page: Path) -> str:
    return study_page.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def page(study_html: str) -> Page:
    return Page(study_html)
