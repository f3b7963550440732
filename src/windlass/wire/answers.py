"""Schemas of the API's answers, for OpenAPI."""

from __future__ import annotations

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}

CHECK: dict[str, Any] = {
    "type": "object",
    "description": "What one check before a deploy found.",
    "required": ["name", "status", "message", "fix"],
    "properties": {
        "name": {"type": "string", "description": "The check's stable name, as --skip-check takes it."},
        "status": {"type": "string", "enum": ["ok", "warning", "refused", "skipped"]},
        "message": _TEXT,
        "fix": {"type": "string", "description": "The next step; empty when there is nothing to do."},
        "code": {"type": "string", "description": "Stable, for programs; empty when all is well."},
        "place": {"type": "string", "description": "Where in the user's files, or the thing that it is about."},
    },
}
CHECKS: dict[str, Any] = {"type": "array", "items": CHECK}

PLAN: dict[str, Any] = {
    "type": "object",
    "required": ["app", "live", "items", "routes", "notes", "downtime", "checks"],
    "properties": {
        "app": _TEXT,
        "live": {"type": ["integer", "null"], "description": "The live release."},
        "items": {
            "type": "array",
            "description": "One for each service.",
            "items": {
                "type": "object",
                "properties": {
                    **dict.fromkeys(
                        ("service", "role", "strategy", "reason", "place", "image", "action", "probe"), _TEXT
                    ),
                    "replicas": {"type": "integer"},
                },
            },
        },
        "tasks": {"type": "array", "items": {"type": "object"}},
        "routes": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {**dict.fromkeys(("host", "path", "service"), _TEXT), "port": {"type": "integer"}},
            },
        },
        "notes": {"type": "array", "items": _TEXT},
        "downtime": {"type": "array", "items": _TEXT},
        "checks": CHECKS,
    },
}
