# mypy: ignore-errors
# Runs in the bake environment only, where numpy is older and bpy has no types.
"""Run by the bake environment's python: reads a job (JSON file), answers with JSON lines on stdout."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np


def _say(out: Any, **message: object) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def _layout(stage: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Landmarks of the neutral face, and for each bank the rectangle in which anything moves."""
    rest = stage.pose({})
    body = rest[stage.body.ids]
    axis = body[(np.abs(body[:, 0]) < 0.004) & (body[:, 1] < stage.human.eye_left[1] + 0.03)]
    eye = stage.human.eye_left[2]
    nose = axis[np.argmin(np.where(abs(axis[:, 2] - eye + 0.035) < 0.02, axis[:, 1], 9))]
    lips = stage.human.group_vertices("helper-upper-teeth")
    mouth_z = rest[lips][:, 2].min() - 0.002
    mouth = axis[np.argmin(np.abs(axis[:, 2] - mouth_z) + (axis[:, 1] > nose[1] + 0.03))]
    face = (axis[:, 1] < nose[1] + 0.032) & (axis[:, 2] > eye - 0.13)
    chin = axis[np.argmin(np.where(face, axis[:, 2], 9))]
    crown = body[np.argmax(body[:, 2])]
    front = body[(np.abs(body[:, 0]) < 0.004) & (body[:, 1] < -0.03)]
    neck = front[np.argmin(np.abs(front[:, 2] - eye + 0.15))]
    names = ("left_eye", "right_eye", "nose", "mouth", "chin", "crown", "neck")
    # The viewer's left is the person's right.
    points = stage.project(np.array([stage.human.eye_right, stage.human.eye_left, nose, mouth, chin, crown, neck]))
    boxes = {}
    for bank, poses in job["banks"].items():
        base, seen = stage.project(body), np.zeros(len(body), bool)
        corners = [base[:0]]
        for weights in poses:
            now = stage.project(stage.pose(weights)[stage.body.ids])
            seen = np.abs(now - base).max(1) > 0.6
            corners += [now[seen], base[seen]]
        moved = np.concatenate(corners)
        boxes[bank] = [*moved.min(0).tolist(), *moved.max(0).tolist()]
    stage.pose({})
    return {"anchors": {n: p.tolist() for n, p in zip(names, points, strict=True)}, "moved": boxes}


def main(path: str) -> int:
    """Do the job file ``path``."""
    job = json.loads(Path(path).read_text())
    # Blender writes its own lines to file descriptor 1: keep ours apart.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from visavis.avatar.studio.blender.depth import depth_map
    from visavis.avatar.studio.blender.stage import Stage

    stage = Stage(job["character"], Path(job["data"]))
    import bpy

    bpy.context.scene.render.threads_mode = "FIXED"
    bpy.context.scene.render.threads = job["threads"]
    _say(out, event="ready")
    for step in job["steps"]:
        if step["do"] == "layout":
            _say(out, event="layout", layout=_layout(stage, step))
            continue
        target = Path(step["out"])
        if step["do"] == "depth":
            stage.pose({})
            depth, known = depth_map(stage, step["side"])
            partial = target.with_name(target.stem + ".part.npz")
            np.savez_compressed(partial, depth=depth, known=known)
            partial.replace(target)
            _say(out, event="measured")
            continue
        stage.pose(step["weights"])
        partial = target.with_name(target.stem + ".part.png")
        seconds = stage.render(partial, step["samples"], step.get("box"), step.get("scale", 1.0))
        partial.replace(target)
        _say(out, event="rendered", id=step["id"], seconds=round(seconds, 1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
