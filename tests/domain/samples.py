"""Models for tests, from a few lines of YAML in Compose's short forms."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from windlass.domain.compose import Model
from windlass.domain.documents import parse_yaml
from windlass.domain.modelreader import read_model

HERE = Path(__file__).parent


def model_of(services: Mapping[str, Any], **sections: Any) -> Model:
    return read_model({"services": services, **sections})


def cases(name: str) -> dict[str, dict[str, Any]]:
    return dict(parse_yaml((HERE / name).read_text(), name).data)
