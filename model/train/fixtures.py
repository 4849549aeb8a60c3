"""Makes small random checkpoints with the Hugging Face implementations and records what they compute.

usage: fixtures.py OUT_DIR [SEED]   (needs transformers >= 5.10; another SEED gives other sizes and weights)
       fixtures.py --check RUN_DIR  (the trained model, as exported, against transformers)
Each OUT_DIR/NAME holds config.json, model.safetensors and golden.json {"ids", "logits" [T][V], "final_hidden" [T][d] (after the final norm),
"embedding_row0" [d] (of ids[0]), "topk" [layer that has an indexer][T][selected positions, sorted]}: float32 arithmetic, teacher-forced. NAME ends in -fp8 where the projections are stored in e4m3 with 128x128 block scales.
"""
import json, os, sys, tempfile, traceback
import torch
from dsa_model import fp8_blocks, raw, save_safetensors, wants_fp8


def record(model, ids):
    picked = {}
    hooks = []
    for i, layer in enumerate(model.model.layers):
        ix = getattr(layer.self_attn, "indexer", None)
        if ix is not None:
            hooks.append(ix.register_forward_hook(lambda m, a, o, i=i: picked.__setitem__(i, o[0] if isinstance(o, tuple) else o)))
    # equal scores (ReLU makes many zeros) go to the lower position
    plain = torch.Tensor.topk

    def topk_low(t, k, dim=-1, largest=True, sorted=True):
        v, i = t.sort(dim=dim, descending=largest, stable=True)
        return torch.return_types.topk((v.narrow(dim, 0, k), i.narrow(dim, 0, k)))
    torch.Tensor.topk = topk_low
    try:
        with torch.no_grad():
            out = model(input_ids=ids[None], use_cache=False, output_hidden_states=True)
    finally:
        torch.Tensor.topk = plain
    for h in hooks:
        h.remove()
    T = len(ids)
    topk = []
    for i in sorted(picked):
        t = picked[i]
        rows = []
        if t is not None and t.dtype in (torch.int32, torch.int64) and t.dim() == 3:
            for q in range(T):
                rows.append(sorted(int(x) for x in t[0, q] if x <= q and x >= 0))
        topk.append(rows)
    return out.logits[0], [h[0] for h in out.hidden_states], topk


def flat(model):
    out = {}
    for n, t in model.state_dict().items():
        if n.endswith("experts.gate_up_proj"):
            m = t.shape[1] // 2
            for e in range(t.shape[0]):
                out[n.replace("gate_up_proj", f"{e}.gate_proj.weight")] = t[e, :m]
                out[n.replace("gate_up_proj", f"{e}.up_proj.weight")] = t[e, m:]
        elif n.endswith("experts.down_proj"):
            for e in range(t.shape[0]):
                out[n.replace("down_proj", f"{e}.down_proj.weight")] = t[e]
        else:
            out[n] = t
    if model.config.tie_word_embeddings:
        out.pop("lm_head.weight", None)
    return out


def write(dst, cfg, model, ids, fp8, bf16, shards=1, half=False):
    os.makedirs(dst, exist_ok=True)
    tensors = {}
    sd = model.state_dict()
    with torch.no_grad():
        for n, t in flat(model).items():
            if fp8 and wants_fp8(n, t):
                q, s = fp8_blocks(t.float())
                tensors[n] = ("F8_E4M3", q.shape, raw(q))
                tensors[n + "_scale_inv"] = ("F32", s.shape, raw(s))
                big = s.repeat_interleave(128, 0).repeat_interleave(128, 1)[:t.shape[0], :t.shape[1]]
                t.copy_(q.float() * big)
            elif bf16 and t.dim() == 2:
                b = t.to(torch.bfloat16)
                tensors[n] = ("BF16", t.shape, raw(b))
                t.copy_(b.float())
            elif half:
                tensors[n] = ("F16", t.shape, raw(t.half()))
                t.copy_(t.half().float())
            else:
                tensors[n] = ("F32", t.shape, raw(t.float()))
    # flat() gives views of the parameters, so the model now computes with what was written
    logits, hidden, topk = record(model, ids)
    if shards == 1:
        save_safetensors(f"{dst}/model.safetensors", tensors)
    else:
        names, where = list(tensors), {}
        for i in range(shards):
            part = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
            save_safetensors(f"{dst}/{part}", {n: tensors[n] for n in names[i::shards]})
            where.update({n: part for n in names[i::shards]})
        json.dump({"metadata": {"total_size": sum(len(t[2]) for t in tensors.values())}, "weight_map": where},
                  open(f"{dst}/model.safetensors.index.json", "w"))
    json.dump(cfg, open(f"{dst}/config.json", "w"), indent=1)
    r = lambda t: [[float(f"{x:.5g}") for x in row] for row in t.tolist()]
    json.dump({"ids": ids.tolist(), "logits": r(logits), "final_hidden": r(hidden[-1]),
               "embedding_row0": r(hidden[0][:1])[0], "topk": topk}, open(f"{dst}/golden.json", "w"))
    print(dst, "tensors", len(tensors), "bytes", sum(len(t[2]) for t in tensors.values()), "logit std", float(logits.std()),
          "topk rows", [len(x) for x in topk], flush=True)


def shake(model, seed):
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for n, p in list(model.named_parameters()) + list(model.named_buffers()):
            if not p.dtype.is_floating_point or "inv_freq" in n:
                continue
            z = torch.randn(p.shape, generator=g)
            if n.endswith("e_score_correction_bias"):
                p.copy_(z * 0.1 - 1)  # negative, so that a wrong mask value over the groups shows
            elif "norm" in n:
                p.copy_((0 if n.endswith("bias") else 1) + z * 0.1)
            elif p.dim() >= 2:
                p.copy_(z * p.shape[-1] ** -0.5 * (1.0 if "embed" in n else 1.2))


def main(out, seed=0):
    from transformers import AutoConfig
    import transformers
    print("transformers", transformers.__version__, flush=True)
    base = dict(vocab_size=96, hidden_size=64, intermediate_size=96, moe_intermediate_size=32, num_hidden_layers=3,
                num_attention_heads=4, num_key_value_heads=4, n_shared_experts=1, n_routed_experts=8, routed_scaling_factor=2.5,
                kv_lora_rank=32, q_lora_rank=48, qk_rope_head_dim=16, v_head_dim=24, qk_nope_head_dim=32, n_group=1, topk_group=1,
                num_experts_per_tok=2, first_k_dense_replace=1, max_position_embeddings=4096, index_topk=16, index_head_dim=32,
                index_n_heads=4, tie_word_embeddings=False)
    plain = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}
    yarn = {"rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 40.0, "beta_fast": 32, "beta_slow": 1,
                                "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 64}}
    cases = {
        "v32-plain": ("DeepseekV32", dict(base, **plain), False, False, 48),
        "v32-yarn-groups": ("DeepseekV32", dict(base, **yarn, n_group=4, topk_group=2, n_routed_experts=16, num_experts_per_tok=4,
                                                n_shared_experts=2, hidden_size=80, tie_word_embeddings=False), False, False, 200),
        "v32-bf16": ("DeepseekV32", dict(base, **plain, tie_word_embeddings=True), False, True, 96),
        "v32-fp8": ("DeepseekV32", dict(base, **yarn, hidden_size=192, q_lora_rank=160, kv_lora_rank=128, moe_intermediate_size=144,
                                        intermediate_size=288, index_head_dim=64, qk_rope_head_dim=32, n_routed_experts=4), True, True, 160),
        "v32-shards-fp8": ("DeepseekV32", dict(base, **yarn, hidden_size=160, q_lora_rank=136, n_routed_experts=4), True, True, 90),
        "v32-fp16": ("DeepseekV32", dict(base, **plain), False, False, 70),
        "glm-dsa": ("GlmMoeDsa", dict(base, **plain), False, False, 64),
        "glm-dsa-shared": ("GlmMoeDsa", dict(base, **plain, num_hidden_layers=4, indexer_types=["full", "shared", "full", "shared"]), False, False, 80),
    }
    for name, (family, cfg, fp8, bf16, T) in cases.items():
        if seed:
            T += 30 + seed % 50
            cfg.update(index_topk=7 + seed % 8, hidden_size=cfg["hidden_size"] + 16, num_hidden_layers=4, first_k_dense_replace=2 if "fp8" in name else 1, vocab_size=80 + seed % 40, index_n_heads=3, v_head_dim=40)
        try:
            conf = getattr(transformers, family + "Config")(**cfg)
            conf._attn_implementation = "eager"
            torch.manual_seed(len(name))
            model = getattr(transformers, family + "ForCausalLM")(conf).float().eval()
            shake(model, 11 + seed)
            ids = torch.randint(0, cfg["vocab_size"], (T,), generator=torch.Generator().manual_seed(5 + seed))
            d = conf.to_dict()
            saved = {k: d[k] for k in d if not k.startswith("_")}
            if name == "v32-fp16" or "shards" in name:  # the older spelling of config.json, as DeepSeek publishes it
                p = dict(saved.pop("rope_parameters"))
                saved["rope_theta"] = p.pop("rope_theta")
                p["type"] = p.pop("rope_type")
                saved["rope_scaling"] = p if p["type"] == "yarn" else None
                saved["torch_dtype"] = saved.pop("dtype", None) or "float32"
            write(f"{out}/{name}", saved, model, ids, fp8, bf16, shards=3 if "shards" in name else 1, half=name == "v32-fp16")
            if name == "v32-plain":
                from safetensors import safe_open
                with tempfile.TemporaryDirectory() as saved:
                    model.save_pretrained(saved)
                    with safe_open(f"{saved}/model.safetensors", "pt") as f:
                        print("save_pretrained names:", sorted(k for k in f.keys() if "layers.1." in k))
        except Exception:
            print("FAILED", name); traceback.print_exc()


def check(run):
    """RUN_DIR/model.safetensors + config.json against transformers, in float32."""
    from transformers import AutoModelForCausalLM
    from dsa_model import Config, Model
    hf, info = AutoModelForCausalLM.from_pretrained(run, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    print("loading:", {k: (list(v)[:4], len(v)) for k, v in info.items()})
    m = Model(Config()).eval()
    m.load_state_dict(torch.load(f"{run}/last.pt", map_location="cpu"))
    ids = torch.randint(5, 12000, (1, 700), generator=torch.Generator().manual_seed(1))
    T = ids.shape[1]
    with torch.no_grad():
        a = hf(input_ids=ids, use_cache=False).logits[0]
        mask = torch.ones(1, 1, T, T, dtype=torch.bool).tril()
        h, _ = m.hidden(ids, torch.arange(T)[None], mask, "sparse_eval")
        b = m.logits(h[0])
    print("transformers vs ours: max abs diff", float((a - b).abs().max()), "std", float(a.std()), "argmax agree", float((a.argmax(-1) == b.argmax(-1)).float().mean()))


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
