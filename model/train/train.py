"""Trains the model of dsa_model.py in stages, each bounded by minutes of wall clock.

usage: torchrun --nproc-per-node N train.py DATA_DIR RUN_DIR --stage pretrain|tasks|warm|sparse --minutes M [--length L] …
  pretrain  dense attention, plain text
  tasks     dense attention, tasks
  warm      dense attention, tasks; the indexers learn to imitate the dense attention
  sparse    top-k attention, tasks; indexers go on learning on what they selected
Each stage starts from RUN_DIR/last.pt where it exists, else from the safetensors file that --weights names, else from nothing.
"""
import argparse, json, math, os, time
import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from dsa_model import Config, Model, MoE, Tree, hf_config, load_hf, select
from tasks import Loader


class Muon:
    """Momentum orthogonalised by Newton-Schulz (matrices, also stacked in 3D); AdamW for everything else."""

    def __init__(self, mats, vecs, wd):
        self.groups, self.wd = {}, wd
        for p in mats:
            self.groups.setdefault(tuple(p.shape[-2:]), []).append(p)
        self.mom = {p: torch.zeros_like(p) for p in mats}
        self.adam = torch.optim.AdamW(vecs, lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)

    @staticmethod
    def orthogonalise(g, steps=5):
        a, b, c = 3.4445, -4.7750, 2.0315
        x = g.to(torch.bfloat16 if g.is_cuda else torch.float32)
        flip = x.shape[-2] > x.shape[-1]
        if flip:
            x = x.mT
        x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
        for _ in range(steps):
            s = x @ x.mT
            x = a * x + (b * s + c * s @ s) @ x
        return x.mT if flip else x

    @torch.no_grad()
    def step(self, lr, adam_lr):
        for (m, n), ps in self.groups.items():
            for i in range(0, len(ps), 32):
                part = [p for p in ps[i:i + 32] if p.grad is not None]
                if not part:
                    continue
                for p in part:
                    self.mom[p].lerp_(p.grad, 0.05)
                g = torch.cat([p.grad.lerp(self.mom[p], 0.95).reshape(-1, m, n) for p in part])
                u = self.orthogonalise(g) * (0.2 * max(m, n) ** 0.5)
                j = 0
                for p in part:
                    k = p.numel() // (m * n)
                    p.mul_(1 - lr * self.wd).add_(u[j:j + k].view_as(p).to(p.dtype), alpha=-lr)
                    j += k
        for g in self.adam.param_groups:
            g["lr"] = adam_lr
        self.adam.step()

    def zero(self):
        for p in self.mom:
            p.grad = None
        self.adam.zero_grad(set_to_none=True)


def check(dev):
    """Turns on attention by blocks and the top-k kernel where they give here what the plain ways give."""
    torch.manual_seed(0)
    seg = torch.zeros(2, 1024, dtype=torch.long, device=dev); grp = torch.zeros_like(seg)
    seg[:, 300:340], seg[:, 340:420], seg[1, 700:990] = 1, 2, 1
    grp[:, 420:], grp[:, 990:] = 1, -1
    q, k, v = (torch.randn(2, 8, 1024, 64, device=dev, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    c = Config(index_topk=64)
    iq, ik, iw = (torch.randn(*n, device=dev, dtype=torch.bfloat16) for n in ((2, 1024, 4, 64), (2, 1024, 64), (2, 1024, 4)))

    def outcome():
        tree = Tree(seg, grp)
        chosen = select(c, iq, ik, iw.float(), tree)
        out = []
        for x in (None, first):
            o = tree.attention(q, k, v, x)
            out += [o.detach().float()] + [g.float() for g in torch.autograd.grad((o.float() * v.detach().float().flip(2)).sum(), (q, k, v))]
        return out, chosen
    first = select(c, iq, ik, iw.float(), Tree(seg, grp))
    want, chosen = outcome()
    for name in ("kernel", "blocks"):
        try:
            setattr(Tree, name, True)
            got, picked = outcome()
            off = max(float((x - y).norm() / y.norm()) for x, y in zip(got, want))
            other = float((picked != chosen).sum() / chosen.sum())
            good = off < 0.02 and other < 0.002
            print("check", name, f"{off:.4f} {other:.5f}", good, flush=True)
        except Exception as e:
            good = False
            print("check", name, "failed:", repr(e)[:1500], flush=True)
        setattr(Tree, name, good)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("data"); ap.add_argument("run")
    ap.add_argument("--stage", required=True)
    ap.add_argument("--minutes", type=float, required=True)
    ap.add_argument("--until", help="a file with the time (seconds since 1970) at which the stage ends, instead of --minutes; it may change")
    ap.add_argument("--weights", help="model.safetensors to start from")
    ap.add_argument("--sparse", type=float, default=0.0, help="share of the stage, at its end, that goes on as 'sparse'")
    ap.add_argument("--sure", action="store_true", help="attention by blocks and the kernel without a check")
    ap.add_argument("--long", type=float, default=0.5, help="share of the sequences that begin with a long document")
    ap.add_argument("--answers", type=float, default=1.0, help="weight of the answers' loss")
    ap.add_argument("--rows", type=int, default=256, help="query positions a sequence on which the indexers learn")
    ap.add_argument("--keep", type=float, default=2.5, help="minutes between copies of the weights")
    ap.add_argument("--plain", action="store_true", help="no attention by blocks, no kernel of our own")
    ap.add_argument("--length", type=int, default=2048)
    ap.add_argument("--batch", type=int, default=32, help="sequences a micro-step and GPU")
    ap.add_argument("--accum", type=int, default=1)
    ap.add_argument("--lr", type=float, default=2e-3)
    ap.add_argument("--adam", type=float, default=3e-3)
    ap.add_argument("--final", type=float, default=0.0, help="learning rate at the end, as a share of --lr")
    ap.add_argument("--cool", type=float, default=0.4, help="share of the time that the rate falls over")
    ap.add_argument("--warmup", type=int, default=100)
    ap.add_argument("--dropout", type=float, default=0.0, help="share of what the layers add that is left out, until 75 % of the stage, falling to none at 90 %")
    ap.add_argument("--decay", type=float, default=0.05, help="weight decay of the matrices")
    ap.add_argument("--mean", type=float, default=1.0, help="share of the stage behind which the weights of every tenth step are averaged, into RUN_DIR/mean.pt")
    ap.add_argument("--tiny", action="store_true")
    ap.add_argument("--recompute", action="store_true")
    ap.add_argument("--compile", action="store_true")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--workers", type=int, default=6)
    a = ap.parse_args()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    loader = None
    if a.stage != "pretrain":
        loader = Loader(a.data, a.length, a.batch, a.seed * 100 + rank, a.workers, a.long)  # forks before CUDA starts
    cuda = torch.cuda.is_available()
    dev = torch.device("cuda", rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(dev)
        torch.backends.cuda.matmul.allow_tf32 = True
    if world > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    for name in ("recompile_limit", "cache_size_limit"):  # a compilation for each layer
        if hasattr(torch, "_dynamo") and hasattr(torch._dynamo.config, name):
            setattr(torch._dynamo.config, name, 64)
    if a.sure:
        Tree.kernel = Tree.blocks = True
    elif cuda and loader and not a.plain:
        check(dev)
    torch.manual_seed(a.seed)
    c = Config()
    if a.tiny:
        c = Config(hidden_size=64, num_hidden_layers=2, num_attention_heads=2, q_lora_rank=32, kv_lora_rank=32,
                   index_n_heads=2, index_head_dim=32, index_topk=64, intermediate_size=128, moe_intermediate_size=32)
    model = Model(c).to(dev)
    os.makedirs(a.run, exist_ok=True)
    last = f"{a.run}/last.pt"
    if os.path.exists(last):
        model.load_state_dict(torch.load(last, map_location=dev))
    elif a.weights:
        load_hf(model, a.weights)
    model.recompute = a.recompute
    model.train()
    named = list(model.named_parameters())
    vec = lambda n, p: p.dim() == 1 or "embed" in n or n.endswith("mlp.gate") or "weights_proj" in n
    opt = Muon([p for n, p in named if not vec(n, p)], [p for n, p in named if vec(n, p)], a.decay)
    moes = [m for m in model.modules() if isinstance(m, MoE)]
    if a.compile:
        for l in model.layers:
            l.before, l.after = torch.compile(l.before), torch.compile(l.after)
    params = [p for _, p in named]
    text = np.memmap(f"{a.data}/pretrain.u16", dtype=np.uint16, mode="r") if loader is None else None
    rng = np.random.default_rng(a.seed * 77 + rank)
    L, B = a.length, a.batch

    def loss_of(h, tgt, share, chunk=8192):
        """-> the mean over all tokens, and the mean over the answers' (weighted by share)."""
        h, tgt, share = h.reshape(-1, h.shape[-1]), tgt.reshape(-1), share.reshape(-1)

        def f(x, y, w):
            ce = F.cross_entropy(model.logits(x).float(), y, ignore_index=-100, reduction="none")
            return torch.stack([ce.sum(), (ce * w).sum()])
        tot = 0.0
        for i in range(0, h.shape[0], chunk):
            tot = tot + torch.utils.checkpoint.checkpoint(f, h[i:i + chunk], tgt[i:i + chunk], share[i:i + chunk], use_reentrant=False)
        return tot[0] / (tgt >= 0).sum().clamp_min(1), tot[1] / share.sum().clamp_min(1e-6)

    def save(name="last", weights=None):
        sd = {k.replace("_orig_mod.", ""): v for k, v in (weights or model.state_dict()).items()}
        path = f"{a.run}/{name}.pt"
        torch.save(sd, path + ".tmp"); os.replace(path + ".tmp", path)
        json.dump(hf_config(c), open(f"{a.run}/config.json", "w"), indent=1)

    def held_out(mode):
        """-> the answers' loss on passages that are not learned from: (by themselves, hidden)."""
        out = []
        model.leave_out(0.0)
        for ids, tgt, pos, seg, grp, share in loader.held_out(dev):
            # with gradients that nobody asks for, so that what was compiled serves here too
            h, _ = model.hidden(ids, pos, Tree(seg, grp), mode, torch.zeros(B, a.rows, dtype=torch.long, device=dev))
            out.append(loss_of(h, tgt, share)[1].detach())
        out = torch.stack(out)
        if world > 1:
            dist.all_reduce(out)
        for m in moes:
            m.load.zero_()
        return (out / world).tolist()

    t0 = time.time()
    if world > 1:
        t = torch.tensor([t0], dtype=torch.float64, device=dev); dist.broadcast(t, 0); t0 = t.item()
    step, seen, kept, end = 0, 0, time.time(), t0 + a.minutes * 60
    mean, summed = None, 0
    log = open(f"{a.run}/{a.stage}-{L}.log", "a") if rank == 0 else None
    while True:
        if a.until and rank == 0 and step % 10 == 0:
            try:
                end = float(open(a.until).read())
            except (OSError, ValueError):
                pass
        frac = torch.tensor([(time.time() - t0) / max(1.0, end - t0)], device=dev)
        if world > 1:
            dist.broadcast(frac, 0)
        frac = frac.item()
        if frac >= 1:
            break
        f = min(1, (step + 1) / a.warmup) * (1 if frac < 1 - a.cool else a.final + (1 - a.final) * (1 - frac) / a.cool)
        # without it at the end, when the rate is low
        drop = a.dropout * min(1.0, max(0.0, (0.9 - frac) / 0.15))
        model.leave_out(drop)
        lm, al, il = 0.0, 0.0, 0.0
        mode = "sparse" if frac >= 1 - a.sparse else {"tasks": "dense"}.get(a.stage, a.stage)
        if loader and step % 250 == 249:
            alone, hidden = held_out(mode)
            model.leave_out(drop)
            if rank == 0:
                msg = f"held out: answers {alone:.4f}, hidden {hidden:.4f}"
                print(msg, flush=True); log.write(msg + "\n")
        for _ in range(a.accum):
            if loader is None:
                idx = rng.integers(0, len(text) - L - 1, B)
                w = torch.from_numpy(np.stack([text[i:i + L + 1] for i in idx]).astype(np.int64)).to(dev)
                ids, tgt = w[:, :-1], w[:, 1:].contiguous()
                pos = torch.arange(L, device=dev).expand(B, L)
                h, _ = model.hidden(ids, pos)
                loss, _ = loss_of(h, tgt, torch.zeros(tgt.shape, device=dev))
                (loss / a.accum).backward()
                lm += loss.item() / a.accum if step % 10 == 0 else 0
            else:
                ids, tgt, pos, seg, grp, share = loader.next(dev)
                # half of the positions that the indexers learn on are in branches
                inside = (seg > 0).float()
                p = inside / inside.sum(1, keepdim=True).clamp_min(1) + 1 / L
                rows = torch.multinomial(p, a.rows)
                h, iloss = model.hidden(ids, pos, Tree(seg, grp), mode, rows)
                # all tokens together, and the answers once more by themselves
                loss, aloss = loss_of(h, tgt, share)
                ((loss + a.answers * aloss + iloss) / a.accum).backward()
                if step % 10 == 0:
                    lm += loss.item() / a.accum
                    al += aloss.item() / a.accum
                    il += float(iloss.detach()) / a.accum
        if world > 1:
            gs = [p.grad for p in params if p.grad is not None]
            flat = torch._utils._flatten_dense_tensors(gs)
            dist.all_reduce(flat); flat /= world
            for g, n in zip(gs, torch._utils._unflatten_dense_tensors(flat, gs)):
                g.copy_(n)
            for m in moes:
                dist.all_reduce(m.load)
        gn = float(torch.nn.utils.clip_grad_norm_([p for p in params if p.grad is not None], 1.0))
        if math.isfinite(gn):
            opt.step(a.lr * f, a.adam * f)
        opt.zero()
        with torch.no_grad():
            for m in moes:
                m.bias += 0.001 * f * torch.sign(m.load.mean() - m.load)
                m.load.zero_()
        if rank == 0 and frac >= a.mean and step % 10 == 0:
            with torch.no_grad():
                now = {k: v.float() for k, v in model.state_dict().items()}
                summed += 1
                mean = {k: torch.lerp(mean[k], v, 1 / summed) for k, v in now.items()} if mean else {k: v.clone() for k, v in now.items()}
        step += 1
        seen += a.accum * B * L * world
        if rank == 0 and step % 10 == 1:
            now = time.time()
            msg = f"{mode} {L} step {step} {frac*100:.1f}% loss {lm:.4f} answers {al:.4f} index {il:.4f} lr {a.lr*f:.5f} gn {gn:.2f} {seen/max(now-t0,1e-9)/1e3:.0f}k tok/s {seen/1e6:.0f}M"
            print(msg, flush=True); log.write(msg + "\n"); log.flush()
        if rank == 0 and time.time() - kept > a.keep * 60:
            save()
            kept = time.time()
    if rank == 0:
        save()
        if mean:
            save("mean", mean)
        print("saved", flush=True)
    if loader:
        for p in loader.procs:
            p.terminate()
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
