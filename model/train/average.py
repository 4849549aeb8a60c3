"""Averages two trainings of one model: weights between RELEASE's and those of RUN_DIR/last.pt.

usage: average.py RELEASE RUN_DIR OUT_DIR SHARE   (OUT_DIR/last.pt gets SHARE of the run's and the rest of the release's)
"""
import os, sys
import torch
from dsa_model import Config, Model, load_hf

release, run, out, share = sys.argv[1:4] + [float(sys.argv[4])]
model = Model(Config())
load_hf(model, f"{release}/model.safetensors")
new = torch.load(f"{run}/last.pt", map_location="cpu")
os.makedirs(out, exist_ok=True)
torch.save({k: torch.lerp(v.float(), new[k].float(), share).to(v.dtype) for k, v in model.state_dict().items()}, f"{out}/last.pt")
