"""The plain form of the classic recipe: Flask, the network in eager PyTorch, pictures by OpenCV, one image a request.

    python -m benchmarks.plain_server model.safetensors PORT          # Flask's own server, as first scripts run it
    gunicorn -w CORES -b 127.0.0.1:PORT 'benchmarks.plain_server:create_app("model.safetensors")'

It does what such a script does and nothing more: no checks of the picture, no p-value, no limits.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from flask import Flask, request

from sanum.model import load
from sanum.prepare.presets import Slices


def create_app(model_path: str, threads: int | None = None) -> Flask:
    """The application; `threads` of PyTorch, by default as many as it takes by itself."""
    if threads is not None:
        torch.set_num_threads(threads)
    model = load(Path(model_path))
    assert isinstance(model.preparation, Slices)
    net, healthy, size = model.detector.net_, model.calibrated().scores, model.preparation.size
    limit = float(healthy.mean() + 3 * healthy.std())
    app = Flask("plain")

    @app.get("/healthz")
    def healthz() -> str:
        return "{}"

    @app.post("/v1/predict")
    def predict() -> dict[str, Any]:
        content = np.frombuffer(request.files["file"].read(), np.uint8)
        grey = cv2.resize(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), (size, size))
        image = torch.from_numpy(grey.astype(np.float32) / 255.0)[None, None]
        with torch.no_grad():
            error = (net(image) - image).square()[0, 0].numpy()
        score = float(error.mean())
        heat = cv2.applyColorMap((255 * error / error.max()).astype(np.uint8), cv2.COLORMAP_JET)
        overlay = cv2.addWeighted(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), 0.5, heat, 0.5, 0)
        png = cv2.imencode(".png", overlay)[1].tobytes()
        return {
            "decision": "abnormal" if score > limit else "normal",
            "score": score,
            "threshold": limit,
            "heatmap": base64.b64encode(png).decode(),
        }

    return app


if __name__ == "__main__":
    create_app(sys.argv[1]).run("127.0.0.1", int(sys.argv[2]))
