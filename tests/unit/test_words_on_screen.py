"""One term for one thing, sentence case, no noise: every sentence that a person may read, found in the sources."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from local.paths import MIGRATIONS, ROOT

# What each thing is called nowhere, and what it is called.
FORBIDDEN = {
    r"\bcoins?\b": "credit",
    r"\bpoints?\b(?! (of|to|at|out|spread|such|elsewhere))": "credit",
    r"\btasks?\b": "job",
    r"\bmodels?\b": "type, or 3D model",
    r"\blimits? for this month|\bmonthly limit": "cap",
    r"\bour records\b": "the database",
    r"\b(held|captured)\b": "set aside, charged",
    r"\breleased\b": "returned",
    r"\bplease\b|\boops\b|\bsorry\b|\binvalid\b|\bsuccessfully\b": "what happened and what to do",
    r"!(?!=)(\s|$)": "a full stop",
    r"\bwebsite\b|\bplatform\b": "the studio",
}
ALLOWED = (r"3D models?", r"\bName of the model\b", r"name of a model at fal\.ai", r"Trellis · model from a picture")
# Words that keep their capital inside a label.
PROPER = {"Atelier", "Bauhaus", "PostgreSQL", "Storage", "Stripe", "Supabase", "Checkout", "I"}
PROPER |= {"Generate", "Jobs", "Budget", "Credits", "Campaigns", "Admin", "Operations", "Connections"}
LABELLED = {
    *("button", "title", "subheader", "text_input", "text_area", "number_input", "selectbox", "multiselect", "toggle"),
    *(
        "checkbox",
        "segmented_control",
        "pills",
        "expander",
        "popover",
        "form_submit_button",
        "download_button",
        "dialog",
    ),
    *("menu_button", "date_input", "metric", "file_uploader", "radio", "link_button"),
}
SCREEN = sorted([*ROOT.glob("ui/*.py"), *ROOT.glob("pages/*.py")])
SENTENCES = sorted([*SCREEN, *ROOT.glob("core/**/*.py")])


class Text(NamedTuple):
    """A text in the sources; what is filled in shows as {}."""

    path: str
    line: int
    words: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words}"


def filled(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
    return None


def texts(path: Path) -> Iterator[Text]:
    """Texts that read like a sentence or a label: no docstring, no part of another text, no name, no HTML."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            passed.add(id(node.body[0].value))  # type: ignore[attr-defined]
        if isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        found = filled(node)
        if found is None or id(node) in passed or "<" in found or not re.search(r"[A-Z{][^_]*[a-z]{2}", found):
            continue
        if " " in found.strip() or found.istitle():
            yield Text(str(path.relative_to(ROOT)), node.lineno, found)  # type: ignore[attr-defined]


def refusals() -> Iterator[Text]:
    """The sentences of the rules in SQL."""
    pattern = re.compile(r"private\.refuse\(\d+, '[A-Z_]+',\s*(?:format\()?'((?:[^']|'')+)'")
    for path in sorted(MIGRATIONS.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        for found in pattern.finditer(text):
            sentence = found[1].replace("''", "'").replace("%s", "{}")
            yield Text(path.name, text.count("\n", 0, found.start()) + 1, sentence)


def labels(path: Path) -> Iterator[Text]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LABELLED:
            found = filled(node.args[0]) if node.args else None
            if found:
                yield Text(str(path.relative_to(ROOT)), node.lineno, found)


def bare(text: str) -> str:
    """Without Markdown, icons and what is filled in."""
    text = re.sub(r":\w+\[|:material/\w+:|[\]*#`]", "", text)
    return text.replace("{}", "").strip()


@pytest.mark.parametrize(("word", "instead"), FORBIDDEN.items(), ids=lambda value: value[:20] if "b" in value else "")
def test_each_thing_has_one_name(word: str, instead: str) -> None:
    found = []
    for text in [*refusals(), *(text for path in SENTENCES for text in texts(path))]:
        said = re.sub("|".join(ALLOWED), "", text.words)
        if re.search(word, said, re.IGNORECASE):
            found.append(f"{text} (say: {instead})")
    assert found == []


def test_labels_are_in_sentence_case() -> None:
    found = []
    for text in (text for path in SCREEN for text in labels(path)):
        spoken = bare(text.words)
        first, *rest = re.findall(r"[^\s·,:/]+", re.split(r"[.:·] ", spoken)[0]) or [""]
        wrong = [word for word in rest if word[:1].isupper() and word.strip(".?") not in PROPER and not word.isupper()]
        starts_low = first[:1].islower() and not first.startswith("fal.ai")
        if wrong or (starts_low and not text.words.startswith(("{}", ":"))):
            found.append(str(text))
    assert found == []


def test_refusals_are_whole_sentences() -> None:
    found = list(refusals())
    assert len(found) > 100
    wrong = [
        str(text)
        for text in found
        if not text.words.endswith(".") or not (text.words[0].isupper() or text.words.startswith("fal.ai"))
    ]
    assert wrong == []


def test_who_is_refused_something_that_costs_reads_what_it_cost() -> None:
    """Before a job or an order is made: what happened, that nothing was charged, what to do."""
    codes = ("NOT_ACTIVE", "TYPE_DISABLED", "PACK_DISABLED", "PRICE_CHANGED", "ACCOUNT_LOCKED", "MONTHLY_CAP")
    codes += ("TEAM_BUDGET", "TOO_MANY_OPEN_JOBS", "INSUFFICIENT_CREDITS", "TOO_MANY_CHECKOUTS", "NOT_APPROVED")
    pattern = re.compile(rf"private\.refuse\(\d+, '({'|'.join(codes)})',\s*(?:format\()?'((?:[^']|'')+)'")
    told: dict[str, list[str]] = {}
    for name in ("000400_ledger", "000700_create_job", "002100_orders"):
        text = (MIGRATIONS / f"20261121{name}.sql").read_text(encoding="utf-8")
        for code, sentence in pattern.findall(text):
            told.setdefault(code, []).append(sentence)
    assert set(told) == set(codes)
    silent = [
        sentence for sentences in told.values() for sentence in sentences if "Nothing was charged." not in sentence
    ]
    assert silent == []
