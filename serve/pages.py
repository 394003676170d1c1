"""The page that shows the OpenAPI document to people. It stands alone: no script, and nothing from anywhere else."""

import json
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, StrictUndefined

TEMPLATE = Path(__file__).with_name("page.html")
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


def page_of(document: dict[str, Any]) -> HTMLResponse:
    """The page of an OpenAPI document."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["name"] = lambda ref: ref.rpartition("/")[2]
    environment.filters["shown"] = lambda schema: json.dumps(schema, indent=1, ensure_ascii=False)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    operations = [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    return HTMLResponse(template.render(document=document, operations=operations), headers=HEADERS)
