"""All pages by name. A new one is a module in `pages/`, its template, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.evidence.page import EvidencePage
from benchmarks.evidence.pages.aladdin import ALADDIN_PAGE
from benchmarks.evidence.pages.annealing import ANNEALING
from benchmarks.evidence.pages.chiron import CHIRON
from benchmarks.evidence.pages.policies import POLICIES
from benchmarks.evidence.pages.sageserve import SAGESERVE

PAGES: Mapping[str, EvidencePage] = {
    page.name: page
    for page in (
        SAGESERVE,
        CHIRON,
        POLICIES,
        ALADDIN_PAGE,
        ANNEALING,
    )
}
