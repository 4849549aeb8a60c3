"""Averages trainings of one model, as they were released or left.

usage: average.py OUT_DIR SHARE=FROM ...   (FROM: a release's folder, or a file of weights as train.py leaves them; the shares
                                            add up to 1; OUT_DIR/last.pt gets the mean)
"""
import os, sys
import torch
from dsa_model import Config, Model, load_hf

out, parts = sys.argv[1], [a.split("=", 1) for a in sys.argv[2:]]
if abs(sum(float(share) for share, _ in parts) - 1) > 1e-6:
    sys.exit("average.py: the shares do not add up to 1")
model, mean = Model(Config()), {}
for share, source in parts:
    if os.path.isdir(source):
        load_hf(model, f"{source}/model.safetensors")
    else:
        model.load_state_dict(torch.load(source, map_location="cpu"))
    for k, v in model.state_dict().items():
        mean[k] = mean.get(k, 0) + float(share) * v.double()
os.makedirs(out, exist_ok=True)
torch.save({k: mean[k].to(v.dtype) for k, v in model.state_dict().items()}, f"{out}/last.pt")
