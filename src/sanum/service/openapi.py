"""Finishes the OpenAPI page: one error shape for every route, and what every route may answer."""

from __future__ import annotations

import json
from typing import Any

from apiflask import APIFlask

from sanum.service.problems import MEDIA_TYPE
from sanum.service.wire import Problem

ANSWERS = {
    "400": "The request is not understood.",
    "401": "No valid token.",
    "403": "The token does not cover this.",
    "404": "There is no such thing.",
    "405": "The address does not answer this method.",
    "408": "The upload was too slow.",
    "413": "Too much.",
    "415": "Not a file that is read.",
    "422": "Not valid, or a scan that can't be judged.",
    "429": "Too many requests, or the queue is full; see Retry-After.",
    "503": "Busy or not ready; see Retry-After.",
}


Answers = dict[int | str, dict[str, str | dict[str, dict[str, Any]]]]


PLAIN = "application/octet-stream"
"""The kind of any file, for clients that ask for it, and for those generated from the API's page: they know no other
kind of bytes."""

_BYTES = {"schema": {"type": "string", "format": "binary"}}


def file_answer(description: str, *media: str) -> Answers:
    """What a route that gives no JSON says of its success."""
    content: dict[str, dict[str, Any]] = {kind: _BYTES if kind == PLAIN else {} for kind in media}
    return {200: {"description": description, "content": content}}


def finish_spec(app: APIFlask) -> None:
    """Have the app's OpenAPI page describe its errors as they are."""

    @app.spec_processor
    def finish(spec: dict[Any, Any] | str) -> dict[Any, Any] | str:
        assert isinstance(spec, dict)
        spec = _plain_names(spec)
        schemas = spec.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        for unused in ("HTTPError", "ValidationError"):
            schemas.pop(unused, None)
        problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for path in spec["paths"].values():
            for method, operation in path.items():
                if method not in ("get", "post", "put", "delete"):
                    continue
                responses = operation["responses"]
                for status, description in ANSWERS.items():
                    responses[status] = {"description": description, "content": problem}
                if method == "post":
                    operation.setdefault("parameters", [])
                    _say_multipart(operation["requestBody"]["content"])
                if operation.get("operationId") == "send_case":
                    operation["parameters"].append(_IDEMPOTENCY_KEY)
        return spec


def _say_multipart(content: dict[str, Any]) -> None:
    """The forms hold files. They are read as forms all the same: the way of APIFlask for files looks at every
    field's type again in each request, and `intake.take_in` checks the files anyway."""
    content["multipart/form-data"] = content.pop("application/x-www-form-urlencoded")


def _plain_names(spec: dict[Any, Any]) -> dict[Any, Any]:
    """Schemas within schemas are named `Outer.Inner`, which client generators don't take: `Inner` is enough."""
    text = json.dumps(spec)
    for name in sorted(spec.get("components", {}).get("schemas", {})):
        if "." in name:
            text = text.replace(f'"{name}"', f'"{name.rpartition(".")[2]}"').replace(
                f'/{name}"', f'/{name.rpartition(".")[2]}"'
            )
    plain: dict[Any, Any] = json.loads(text)
    return plain


_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Send the same key again to get the same case instead of a second one.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
