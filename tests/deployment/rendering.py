"""What `kubectl kustomize` would send, as far as our files ask: each key of a kustomization is applied, or refused."""

import base64
import hashlib
import json
import re
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
    parts.extend(_secret(folder, generator) for generator in asked.get("secretGenerator", []))
    _refer(parts)
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


def _secret(folder: Path, generator: Part) -> Part:
    """The secret, under a name with a digest of its content."""
    data = {name: base64.b64encode((folder / name).read_bytes()).decode() for name in generator["files"]}
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:10]
    metadata = {"name": f"{generator['name']}-{digest}"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def _refer(parts: list[Part]) -> None:
    """Who refers to a secret that was made here, or in a folder that this one stands on, is told its name."""
    made = [part["metadata"]["name"] for part in parts if part["kind"] == "Secret"]
    names = {re.sub(r"-[0-9a-f]{10}$", "", name): name for name in made}
    for holder in _holders(parts):
        if holder.get("secretName") in names:
            holder["secretName"] = names[holder["secretName"]]


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
