"""axe-core in the page: what WCAG 2.1 A and AA find wrong, contrast among it."""

from typing import Any

from playwright.sync_api import Page

from local.bootstrap import NODE_MODULES

PROGRAM = NODE_MODULES / "axe-core" / "axe.min.js"
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],
}
# What Streamlit's own widgets do and we cannot mend from outside, by rule: nodes whose selector holds one of these.
OF_STREAMLIT: dict[str, tuple[str, ...]] = {
    "summary-name": ("data-step",),  # a step of a story: Streamlit puts the label beside the summary
}


def violations(page: Page) -> list[str]:
    """One line each, "rule: selector (what is wrong)"; empty when axe finds nothing."""
    page.evaluate(PROGRAM.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, rules)", RULES)
    return [
        f"{rule['id']}: {target} ({' '.join(node['failureSummary'].split())})"
        for rule in found["violations"]
        for node in rule["nodes"]
        for target in [" ".join(map(str, node["target"]))]
        if not any(part in target or part in node["html"] for part in OF_STREAMLIT.get(rule["id"], ()))
    ]
