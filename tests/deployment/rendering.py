"""What `kubectl kustomize` would send, as far as our files ask: each key of a kustomization is applied, or refused."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Part = dict[str, Any]
SETTLED = {"apiVersion", "kind", "resources", "namespace", "labels", "images", "secretGenerator", "patches"}
CLUSTER_WIDE = {"Namespace"}


def read(path: Path) -> list[Part]:
    """The documents of a file."""
    return [part for part in yaml.safe_load_all(path.read_text(encoding="utf-8")) if part]


def render(folder: Path) -> list[Part]:
    """The objects of a folder's kustomization. Raises ValueError for what this reader does not know."""
    (asked,) = read(folder / "kustomization.yaml")
    if unknown := set(asked) - SETTLED:
        raise ValueError(f"not rendered here: {sorted(unknown)}")
    parts = [part for name in asked["resources"] for part in _resource(folder / name)]
    for generator in asked.get("secretGenerator", []):
        parts.append(_secret(folder, generator, parts))
    for patch in asked.get("patches", []):
        _patch(patch, parts)
    for part in parts:
        metadata = part["metadata"]
        if part["kind"] not in CLUSTER_WIDE:
            metadata["namespace"] = asked["namespace"]
        for labels in asked.get("labels", []):
            metadata["labels"] = {**metadata.get("labels", {}), **labels["pairs"]}
        for image in asked.get("images", []):
            _name_image(image, part)
    return parts


def _resource(path: Path) -> list[Part]:
    return render(path) if path.is_dir() else read(path)


def _secret(folder: Path, generator: Part, parts: list[Part]) -> Part:
    """The secret, under a name with a digest of its content; who refers to it is told."""
    data = {name: base64.b64encode((folder / name).read_bytes()).decode() for name in generator["files"]}
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:10]
    name = f"{generator['name']}-{digest}"
    for holder in _holders(parts):
        if holder.get("secretName") == generator["name"]:
            holder["secretName"] = name
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque", "data": data}


def _patch(patch: Part, parts: list[Part]) -> None:
    target = patch["target"]
    (part,) = [p for p in parts if (p["kind"], p["metadata"]["name"]) == (target["kind"], target["name"])]
    for operation in yaml.safe_load(patch["patch"]):
        if operation["op"] != "remove":
            raise ValueError(f"not rendered here: {operation}")
        *way, last = operation["path"].strip("/").split("/")
        place: Any = part
        for step in way:
            place = place[step]
        del place[last]


def _name_image(image: Part, part: Part) -> None:
    for holder in _holders(part):
        if holder.get("image") == image["name"]:
            holder["image"] = f"{image['newName']}:{image['newTag']}"


def _holders(tree: Any) -> Iterator[Part]:
    """Every mapping in it."""
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _holders(child)
