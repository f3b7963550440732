"""The norms that no linter of ours can say: sizes, names, and where two things may stand."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "windlass"
FILES = sorted(path for folder in (SOURCE, ROOT / "examples") for path in folder.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

FILE_LINES = 400
FUNCTION_LINES = 50
PARAMETERS = 6

# Names that say nothing about what is inside.
EMPTY_NAMES = {"base", "common", "helpers", "manager", "utils"}
# The edges of the process, where whatever comes must end in an answer, an exit code or a row.
EDGES = {SOURCE / "main.py", SOURCE / "web" / "server.py", SOURCE / "worker.py"}
WAYS_OUT = {f"pytest.{name}" for name in ("skip", "xfail", "importorskip")}
WAYS_OUT |= {f"pytest.mark.{name}" for name in ("skip", "skipif", "xfail")}
RUNS_PROGRAMS = SOURCE / "adapters" / "process.py"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def place(path: Path, node: ast.AST | None = None) -> str:
    line = f":{node.lineno}" if isinstance(node, ast.expr | ast.stmt | ast.excepthandler) else ""
    return f"{path.relative_to(ROOT)}{line}"


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in nodes(path) if isinstance(node, Function))


def lines_of(function: Function) -> int:
    """From `def` to the end, without the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def parameters_of(function: Function) -> int:
    """What a caller can give; `self` and `cls` are not counted."""
    given = function.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args)]
    bound = bool(names) and names[0] in {"self", "cls"}
    stars = (given.vararg is not None) + (given.kwarg is not None)
    return len(names) - bound + len(given.kwonlyargs) + stars


def imported(node: ast.AST) -> set[str]:
    """The top-level packages that an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").partition(".")[0]}
    return set()


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Catches whatever comes. `except BaseException` that tidies up and ends with a bare `raise` hides nothing."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {ast.unparse(kind) if kind else "" for kind in caught}
    last = handler.body[-1]
    if names == {"BaseException"} and isinstance(last, ast.Raise) and last.exc is None:
        return False
    return bool(names & {"", "Exception", "BaseException"})


def test_something_is_looked_at() -> None:
    assert SOURCE / "__init__.py" in FILES


def test_no_file_is_long() -> None:
    sizes = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: lines for path, lines in sizes.items() if lines > FILE_LINES} == {}


def test_no_function_is_long() -> None:
    sizes = {f"{place(path, one)} {one.name}": lines_of(one) for path in FILES for one in functions(path)}
    assert {function: lines for function, lines in sizes.items() if lines > FUNCTION_LINES} == {}


def test_no_function_takes_many_parameters() -> None:
    sizes = {f"{place(path, one)} {one.name}": parameters_of(one) for path in FILES for one in functions(path)}
    assert {function: count for function, count in sizes.items() if count > PARAMETERS} == {}


def test_broad_except_stands_only_at_the_edges() -> None:
    broad = [
        place(path, node)
        for path in FILES
        if path not in EDGES
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler) and is_broad(node)
    ]
    assert broad == []


def test_every_file_name_says_what_is_inside() -> None:
    parts = {path: {path.stem, *path.relative_to(ROOT).parts[:-1]} for path in FILES}
    assert [place(path) for path, names in parts.items() if names & EMPTY_NAMES] == []


def test_programs_are_run_in_one_place() -> None:
    elsewhere = [
        place(path, node)
        for path in SOURCE.rglob("*.py")
        if path != RUNS_PROGRAMS
        for node in nodes(path)
        if "subprocess" in imported(node)
    ]
    assert elsewhere == []


def test_no_test_is_left_out() -> None:
    left_out = [
        place(path, node)
        for path in TESTS
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in WAYS_OUT
    ]
    assert left_out == []


@pytest.mark.parametrize(
    ("code", "lines", "parameters"),
    [
        ("def f(): return 1", 1, 0),
        ('def f(a, /, b, *c, d=1, **e):\n    """One.\n\n    Two."""\n    return 1', 2, 5),
        ("async def f(self, a):\n    return 1\n", 2, 1),
    ],
)
def test_counts_as_written(code: str, lines: int, parameters: int) -> None:
    function = ast.parse(code).body[0]
    assert isinstance(function, Function)
    assert (lines_of(function), parameters_of(function)) == (lines, parameters)
