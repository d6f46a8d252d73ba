# Recipes for who works on the project, run inside its environment: `just --list` explains them.

python := "python"

[private]
default:
    @just --list

# format, lint, types, imports, security, spelling, workflows
check:
    {{ python }} -m ruff format --check .
    {{ python }} -m ruff check .
    {{ python }} -m mypy
    lint-imports
    {{ python }} -m bandit -q -r run_all.py suite core etl model api dashboard alerts mcp_server client tools bench -c pyproject.toml
    typos
    zizmor --offline --quiet .github

# the default tests; more words go to pytest: just test tests/core -x
test *words:
    {{ python }} -m pytest {{ words }}

# the tests that break a running suite on purpose
faults *words:
    {{ python }} -m pytest -m faults {{ words }}

# every benchmark, or one: just bench cycle --help
bench *words:
    {{ python }} -m bench {{ words }}

# whether the pages agree with the code
docs:
    {{ python }} -m pytest tests/test_docs.py tests/api/test_documentation.py

# write docs/openapi.json again, after a change of the API that is meant
openapi:
    {{ python }} -m tools.openapi

# write requirement files and locks from pyproject.toml (--upgrade: the newest versions, if they are a week old)
lock *words:
    {{ python }} -m tools.requirements --lock {{ words }}

# print what a lock holds as a software bill of materials: just sbom > sbom.json
@sbom *words:
    {{ python }} -m tools.sbom {{ words }}
