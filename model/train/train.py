"""Trains the model of dsa_model.py in four stages, each bounded by minutes of wall clock.

usage: torchrun --nproc-per-node N train.py DATA_DIR RUN_DIR --stage pretrain|tasks|warm|sparse --minutes M [--length L] …
  pretrain  dense attention, plain text, length 2048
  tasks     dense attention, tasks, length 2048
  warm      dense attention, tasks and text, length 8192; the indexers learn to imitate the dense attention
  sparse    top-k attention, tasks and text, length 8192 to 32768; indexers go on learning on what they selected
Each stage starts from RUN_DIR/last.pt where it exists.
"""
import argparse, bisect, itertools, json, math, os, pickle, random, time
import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from dsa_model import Config, Model, MoE, export, hf_config

BOS, EOS, PAD, USER, ASSISTANT = range(5)


class Muon:
    """Momentum orthogonalised by Newton-Schulz (matrices, also stacked in 3D); AdamW for everything else."""

    def __init__(self, mats, vecs, wd=0.05):
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


class Tasks:
    """Builds sequences of L tokens out of groups: a document and the branches (prompts with answers) that follow it.
    A branch sees its document and itself only, at the positions right behind the document, as in use."""

    def __init__(self, data, L, seed, text):
        self.tasks, self.L, self.rng, self.text = data, L, random.Random(seed), text
        self.pairs = [t for t in data if t[0] == "pair" and len(t[1]) > 150]
        self.qa = [t for t in data if t[0] == "qa"]
        self.by_len = sorted(self.pairs, key=lambda t: len(t[1]))
        self.weight = list(itertools.accumulate(t[3] for t in self.by_len))

    def plain(self, n):
        i = self.rng.randrange(max(1, len(self.text) - n - 1))
        return np.asarray(self.text[i:i + n])

    def group(self, room):
        """-> (doc ids, [(prompt, answer)])."""
        r = self.rng
        kind = r.random()
        if room < 1200:  # a passage alone is all that fits
            kind = 0.5
        if kind < 0.40 and self.pairs:
            lo = 0.0
            if room > 6000 and r.random() < 0.5:
                lo = self.weight[len(self.by_len) * 4 // 5]  # the longest fifth
            t = self.by_len[bisect.bisect_left(self.weight, r.uniform(lo, self.weight[-1]))]
            br = [(b[1], b[2]) for b in t[2]]
            doc = t[1][:room - 700]
            if len(doc) < len(t[1]):
                br = [(b[1], b[2]) for b in t[2] if b[0] in ("summary", "title")]
        elif kind < 0.62 and self.qa:
            t = r.choice(self.qa)
            doc = t[1][:room - 300]
            br = [(b[1], b[2]) for b in (t[2] if len(doc) == len(t[1]) else [])]
            br = r.sample(br, min(len(br), 6))
        elif self.qa:
            # several passages, scattered through other text
            size = min(room - 900, int(math.exp(r.uniform(math.log(600), math.log(max(700, room - 900))))))
            parts, br, n = [], [], 0
            targets = [r.choice(self.qa) for _ in range(r.randint(1, 4))]
            for t in targets:
                if n + len(t[1]) < size:
                    parts.append(t[1]); n += len(t[1])
                    ask = [(b[1], b[2]) for b in t[2] if b[0] == "qa"]
                    br += r.sample(ask, min(len(ask), 3))
            if r.random() < 0.4:
                b = r.choice(r.choice(self.qa)[2])
                br.append((b[1], self.none))
            while n < size - 60:
                if r.random() < 0.5:
                    f = r.choice(self.qa)[1]
                elif r.random() < 0.5:
                    f = r.choice(self.pairs)[1][:r.randint(100, 800)]
                else:
                    f = self.plain(r.randint(80, 500))
                f = f[:size - n]
                parts.append(f); n += len(f)
            r.shuffle(parts)
            nl = self.newline
            doc = np.concatenate([x for p in parts for x in (nl, p)][1:]) if parts else self.plain(200)
        else:
            doc, br = self.plain(room - 300), []
        br = br[:10]
        r.shuffle(br)
        return doc, br

    def sequence(self):
        L = self.L
        ids, tgt, pos, seg, grp = (np.zeros(L, np.int64) for _ in range(5))
        tgt[:] = -100
        grp[:] = -1
        n = g = 0
        while L - n > 400:
            doc, br = self.group(L - n)
            d = np.concatenate([[BOS, USER], doc])[:L - n]
            e = n + len(d)
            ids[n:e], pos[n:e], seg[n:e], grp[n:e] = d, np.arange(len(d)), 0, g
            tgt[n:e - 1] = d[1:]
            n = e
            for k, (p, a) in enumerate(br, 1):
                b = np.concatenate([p, [ASSISTANT], a[:400], [EOS]])
                if n + len(b) > L:
                    break
                e = n + len(b)
                ids[n:e], pos[n:e], seg[n:e], grp[n:e] = b, len(d) + np.arange(len(b)), k, g
                tgt[n + len(p):e - 1] = b[len(p) + 1:]
                n = e
            g += 1
        return ids, tgt, pos, seg, grp

    def batch(self, B, device):
        cols = [torch.from_numpy(np.stack(x)).to(device, non_blocking=True) for x in zip(*[self.sequence() for _ in range(B)])]
        return cols


def tree_mask(seg, grp):
    """-> bool [B, 1, T, T]: causal, within the group, and only the document or the own branch."""
    T = seg.shape[1]
    m = (grp[:, :, None] == grp[:, None, :]) & ((seg[:, None, :] == 0) | (seg[:, :, None] == seg[:, None, :]))
    m &= torch.ones(T, T, dtype=torch.bool, device=seg.device).tril()
    m |= torch.eye(T, dtype=torch.bool, device=seg.device)
    return m.unsqueeze(1)


class Loader:
    """Worker processes that make task batches ahead of the training loop."""

    def __init__(self, data_dir, L, B, seed, workers):
        import multiprocessing as mp
        ctx = mp.get_context("fork")
        self.q = ctx.Queue(maxsize=workers * 2)
        text = np.memmap(f"{data_dir}/pretrain.u16", dtype=np.uint16, mode="r")
        data = pickle.load(open(f"{data_dir}/tasks.pkl", "rb"))
        none, newline = np.load(f"{data_dir}/none.npy"), np.load(f"{data_dir}/newline.npy")

        def work(i):
            t = Tasks(data, L, seed * 1000 + i, text)
            t.none, t.newline = none, newline
            while True:
                self.q.put([np.stack(x) for x in zip(*[t.sequence() for _ in range(B)])])
        self.procs = [ctx.Process(target=work, args=(i,), daemon=True) for i in range(workers)]
        for p in self.procs:
            p.start()

    def next(self, device):
        return [torch.from_numpy(x).to(device, non_blocking=True) for x in self.q.get()]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("data"); ap.add_argument("run")
    ap.add_argument("--stage", required=True)
    ap.add_argument("--minutes", type=float, required=True)
    ap.add_argument("--length", type=int, default=2048)
    ap.add_argument("--batch", type=int, default=32, help="sequences a micro-step and GPU")
    ap.add_argument("--accum", type=int, default=1)
    ap.add_argument("--lr", type=float, default=2e-3)
    ap.add_argument("--adam", type=float, default=3e-3)
    ap.add_argument("--final", type=float, default=0.0, help="learning rate at the end, as a share of --lr")
    ap.add_argument("--cool", type=float, default=0.4, help="share of the time that the rate falls over")
    ap.add_argument("--warmup", type=int, default=100)
    ap.add_argument("--tiny", action="store_true")
    ap.add_argument("--recompute", action="store_true")
    ap.add_argument("--compile", action="store_true")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--workers", type=int, default=6)
    a = ap.parse_args()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    loader = None
    if a.stage != "pretrain":
        loader = Loader(a.data, a.length, a.batch, a.seed * 100 + rank, a.workers)  # forks before CUDA starts
    cuda = torch.cuda.is_available()
    dev = torch.device("cuda", rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(dev)
        torch.backends.cuda.matmul.allow_tf32 = True
    if world > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
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
    model.recompute = a.recompute
    model.train()
    named = list(model.named_parameters())
    vec = lambda n, p: p.dim() == 1 or "embed" in n or n.endswith("mlp.gate") or "weights_proj" in n
    opt = Muon([p for n, p in named if not vec(n, p)], [p for n, p in named if vec(n, p)])
    moes = [m for m in model.modules() if isinstance(m, MoE)]
    if a.compile:
        for i, l in enumerate(model.layers):
            model.layers[i] = torch.compile(l)
    params = [p for _, p in named]
    text = np.memmap(f"{a.data}/pretrain.u16", dtype=np.uint16, mode="r")
    rng = np.random.default_rng(a.seed * 77 + rank)
    L, B = a.length, a.batch

    def loss_of(h, tgt, chunk=8192):
        h, tgt = h.reshape(-1, h.shape[-1]), tgt.reshape(-1)
        tot, n = 0.0, (tgt >= 0).sum().clamp_min(1)
        for i in range(0, h.shape[0], chunk):
            f = lambda x, y: F.cross_entropy(model.logits(x).float(), y, ignore_index=-100, reduction="sum")
            tot = tot + torch.utils.checkpoint.checkpoint(f, h[i:i + chunk], tgt[i:i + chunk], use_reentrant=False)
        return tot / n

    t0 = time.time()
    if world > 1:
        t = torch.tensor([t0], dtype=torch.float64, device=dev); dist.broadcast(t, 0); t0 = t.item()
    step, ema, seen, logt = 0, None, 0, t0
    log = open(f"{a.run}/{a.stage}-{L}.log", "a") if rank == 0 else None
    while True:
        frac = torch.tensor([(time.time() - t0) / (a.minutes * 60)], device=dev)
        if world > 1:
            dist.broadcast(frac, 0)
        frac = frac.item()
        if frac >= 1:
            break
        f = min(1, (step + 1) / a.warmup) * (1 if frac < 1 - a.cool else a.final + (1 - a.final) * (1 - frac) / a.cool)
        lm, al, il = 0.0, 0.0, 0.0
        for _ in range(a.accum):
            if loader is None:
                idx = rng.integers(0, len(text) - L - 1, B)
                w = torch.from_numpy(np.stack([text[i:i + L + 1] for i in idx]).astype(np.int64)).to(dev)
                ids, tgt = w[:, :-1], w[:, 1:].contiguous()
                pos = torch.arange(L, device=dev).expand(B, L)
                h, _ = model.hidden(ids, pos)
                loss = loss_of(h, tgt)
                (loss / a.accum).backward()
                lm += loss.item() / a.accum if step % 10 == 0 else 0
            else:
                ids, tgt, pos, seg, grp = loader.next(dev)
                mask = tree_mask(seg, grp)
                rows = torch.from_numpy(np.sort(rng.choice(L, 256, replace=False))).to(dev)
                h, iloss = model.hidden(ids, pos, mask, "dense" if a.stage == "tasks" else a.stage, rows)
                # all tokens together, and the answers once more by themselves
                ans = torch.where(seg > 0, tgt, torch.full_like(tgt, -100))
                aloss = loss_of(h, ans)
                loss = loss_of(h, tgt) + aloss
                ((loss + iloss) / a.accum).backward()
                if step % 10 == 0:
                    lm += (loss - aloss).item() / a.accum
                    al += aloss.item() / a.accum
                    il += float(iloss) / a.accum
        if world > 1:
            gs = [p.grad for p in params if p.grad is not None]
            flat = torch._utils._flatten_dense_tensors(gs)
            dist.all_reduce(flat); flat /= world
            for g, n in zip(gs, torch._utils._unflatten_dense_tensors(flat, gs)):
                g.copy_(n)
            for m in moes:
                dist.all_reduce(m.load)
        gn = torch.nn.utils.clip_grad_norm_([p for p in params if p.grad is not None], 1.0)
        opt.step(a.lr * f, a.adam * f)
        opt.zero()
        with torch.no_grad():
            for m in moes:
                m.bias += 0.001 * f * torch.sign(m.load.mean() - m.load)
                m.load.zero_()
        step += 1
        seen += a.accum * B * L * world
        if rank == 0 and step % 10 == 1:
            now = time.time()
            msg = f"{a.stage} {L} step {step} {frac*100:.1f}% loss {lm:.4f} answers {al:.4f} index {il:.4f} lr {a.lr*f:.5f} gn {float(gn):.2f} {seen/max(now-t0,1e-9)/1e3:.0f}k tok/s {seen/1e6:.0f}M"
            print(msg, flush=True); log.write(msg + "\n"); log.flush()
    if rank == 0:
        sd = {k.replace("_orig_mod.", ""): v for k, v in model.state_dict().items()}
        torch.save(sd, last + ".tmp"); os.replace(last + ".tmp", last)
        json.dump(hf_config(c), open(f"{a.run}/config.json", "w"), indent=1)
        print("saved", flush=True)
    if loader:
        for p in loader.procs:
            p.terminate()
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
