"""Make the weights in `src/sanum/shipped/deepbet`: pip install deepbet; python docs/make_head_network.py

The wheel of sanum carries them, because deepbet brings a desktop toolkit, pandas and more. Its licence (MIT) lies beside
them. They were rounded to half precision when deepbet was made, so half of the size holds the same bits.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from safetensors.torch import save_file

SHIPPED = Path(__file__).parents[1] / "src" / "sanum" / "shipped" / "deepbet"

FILES = {"rough": "bbox_model.pt", "fine": "model.pt"}


def main() -> None:
    """Write both files, to the bit as in the TorchScript.

    Raises:
        ValueError: another deepbet, whose weights half precision does not hold.
    """
    found = importlib.util.find_spec("deepbet")
    assert found is not None
    assert found.origin is not None
    for name, file in FILES.items():
        script = torch.jit.load(
            str(Path(found.origin).parents[1] / "data" / "models" / file), map_location="cpu"
        )
        whole = script.state_dict()
        weights = {key: weight.half().contiguous() for key, weight in whole.items()}
        if not all(torch.equal(weights[key].float(), weight) for key, weight in whole.items()):
            raise ValueError(f"{file}: half precision does not hold its weights")
        save_file(weights, SHIPPED / f"{name}.safetensors")
        print(name, {str(weight.dtype) for weight in weights.values()}, len(weights))


if __name__ == "__main__":
    main()
