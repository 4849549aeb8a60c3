"""Makes a checkpoint of random weights that runs everything: the trials of faults, bursts and stores use it, since it costs nearly nothing.

usage: tiny.py OUT_DIR
OUT_DIR gets config.json, tokenizer.json and model.safetensors (deepseek_v32, bf16, under 1 MB). Python's standard library is all it needs, and
the bytes are the same from any Python >= 3.9: the only source of chance is random.Random(seed).random, and no libm function rounds them.
"""
import collections, json, math, os, random, re, struct, sys

SPECIAL = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<｜User｜>", "<｜Assistant｜>"]
# As in prepare.py, which needs numpy and tokenizers.
SPLITS = ["\\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
          "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
          "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]
N_MERGES = 200
TEXT = """
The harbour was quiet when the keeper of the lighthouse came down to read the letters that the morning boat had brought.
A letter told him that the old lamp would be taken away and that a new one, with a motor and a clock, would stand in its place.
He read the letter twice, put it back into its cover, and looked for a long time at the water between the stones.
Every document that comes to the office is opened, counted and entered in the register before anybody reads it.
The register names the sender, the date, the number of pages and the person who has to answer.
When an answer is late, the register shows it, and the clerk writes a note to the person whose name stands there.
The report describes the state of the bridges in the northern district after the flood of the second week in April.
Three of the bridges were closed, two were repaired within a month, and one was replaced by a ferry for the summer.
The engineers recommend that the foundations be inspected every year and that the results be published with the accounts.
The costs of the inspection are small when they are compared with the costs of another closed road.
To install the program, open the archive, read the instructions in the first file, and start the build from the same folder.
The build checks which libraries are present and says which of them are missing before it begins to compile anything.
If the tests pass, copy the program to the place where the other programs are kept, and start it with the name of a file.
The program prints the title of the file, the summary of its contents and the sentences that it takes to be the most important.
A setting that is not known to the program is an error, and the message names the line in which it stands.
The committee met in the library on the first day of March and elected a chair, a secretary and a treasurer.
The treasurer presented the accounts, which were accepted, and asked the members to pay what they owed before the end of the year.
The secretary was asked to write to the owner of the building about the roof, the windows and the heating.
Plants that grow in the shade of a wall need less water than those that stand in the open, but they flower later.
The gardener who waters in the evening saves more than the one who waters at noon, for the sun takes its share.
What is measured with care once is worth more than what is guessed many times, and what is written down is worth more than both.
"""


def byte_symbols():
    """-> the 256 printable characters that stand for the bytes in a byte-level vocabulary, by byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(spare)) for b in range(256)]


def learn_merges(text, n):
    """-> n pairs, the most frequent first; equal counts go to the pair that sorts first."""
    symbols = byte_symbols()
    words = collections.Counter(tuple(symbols[b] for b in w.encode()) for w in re.findall(r" ?[A-Za-z]+", text))
    merges = []
    while len(merges) < n:
        pairs = collections.Counter()
        for w, c in words.items():
            for p in zip(w, w[1:]):
                pairs[p] += c
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(list(best))
        merged = collections.Counter()
        for w, c in words.items():
            out, i = [], 0
            while i < len(w):
                pair = w[i:i + 2] == best
                out.append(w[i] + w[i + 1] if pair else w[i])
                i += 2 if pair else 1
            merged[tuple(out)] += c
        words = merged
    return merges


def tokenizer():
    merges = learn_merges(TEXT, N_MERGES)
    vocab = SPECIAL + sorted(byte_symbols()) + [a + b for a, b in merges]
    split = lambda s: {"type": "Split", "pattern": {"Regex": s}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
                         for i, s in enumerate(SPECIAL)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split(s) for s in SPLITS] + [
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {s: i for i, s in enumerate(vocab)}, "merges": merges}}


def config(vocab_size):
    return dict(
        vocab_size=vocab_size, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, q_lora_rank=32, kv_lora_rank=32,
        qk_nope_head_dim=16, qk_rope_head_dim=16, v_head_dim=16, index_n_heads=2, index_head_dim=32, index_topk=16,
        intermediate_size=128, moe_intermediate_size=32, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1,
        first_k_dense_replace=1, routed_scaling_factor=1.0, rms_norm_eps=1e-06, max_position_embeddings=16384,
        architectures=["DeepseekV32ForCausalLM"], model_type="deepseek_v32", hidden_act="silu", num_key_value_heads=4, n_group=1,
        topk_group=1, norm_topk_prob=True, scoring_func="sigmoid", topk_method="noaux_tc", moe_layer_freq=1, ep_size=1,
        attention_bias=False, attention_dropout=0.0, tie_word_embeddings=True, rope_theta=100000.0, rope_scaling=None,
        bos_token_id=0, eos_token_id=1, torch_dtype="bfloat16", use_cache=True, num_nextn_predict_layers=0)


def shapes(c):
    """-> [(tensor name, shape)], in the order of the file."""
    d, H, rq, r, e = c["hidden_size"], c["num_attention_heads"], c["q_lora_rank"], c["kv_lora_rank"], c["qk_rope_head_dim"]
    n, v, Hi, di = c["qk_nope_head_dim"], c["v_head_dim"], c["index_n_heads"], c["index_head_dim"]
    I = c["moe_intermediate_size"]
    mlp = lambda at, width: [(at + "gate_proj.weight", [width, d]), (at + "up_proj.weight", [width, d]), (at + "down_proj.weight", [d, width])]
    out = [("model.embed_tokens.weight", [c["vocab_size"], d])]
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        a = p + "self_attn."
        out += [(p + "input_layernorm.weight", [d]), (a + "q_a_proj.weight", [rq, d]), (a + "q_a_layernorm.weight", [rq]),
                (a + "q_b_proj.weight", [H * (n + e), rq]), (a + "kv_a_proj_with_mqa.weight", [r + e, d]), (a + "kv_a_layernorm.weight", [r]),
                (a + "kv_b_proj.weight", [H * (n + v), r]), (a + "o_proj.weight", [d, H * v]),
                (a + "indexer.wq_b.weight", [Hi * di, rq]), (a + "indexer.wk.weight", [di, d]), (a + "indexer.k_norm.weight", [di]),
                (a + "indexer.k_norm.bias", [di]), (a + "indexer.weights_proj.weight", [Hi, d]), (p + "post_attention_layernorm.weight", [d])]
        if i < c["first_k_dense_replace"]:
            out += mlp(p + "mlp.", c["intermediate_size"])
            continue
        out += [(p + "mlp.gate.weight", [c["n_routed_experts"], d]), (p + "mlp.gate.e_score_correction_bias", [c["n_routed_experts"]])]
        for j in range(c["n_routed_experts"]):
            out += mlp(p + f"mlp.experts.{j}.", I)
        out += mlp(p + "mlp.shared_experts.", I * c["n_shared_experts"])
    return out + [("model.norm.weight", [d])]


def normal(rng):
    """A sum of twelve uniform numbers is near enough to a normal one; fsum rounds it the same in every Python."""
    return math.fsum(rng.random() for _ in range(12)) - 6.0


def bf16(x):
    """-> the two bytes of x, rounded to nearest, ties to even."""
    u, = struct.unpack("<I", struct.pack("<f", x))
    return struct.pack("<H", (u + 0x7FFF + (u >> 16 & 1)) >> 16)


def tensor(name, shape, rng):
    """-> (dtype, bytes). Rows have about unit gain, and the tied head gives logits with a standard deviation of about 1.5."""
    if name.endswith(("e_score_correction_bias", "k_norm.weight", "k_norm.bias")):
        mean = 1.0 if name.endswith("norm.weight") else 0.0
        return "F32", b"".join(struct.pack("<f", mean + 0.1 * normal(rng)) for _ in range(shape[0]))
    if len(shape) == 1:
        return "BF16", b"".join(bf16(1.0 + 0.1 * normal(rng)) for _ in range(shape[0]))
    scale = (1.5 if "embed_tokens" in name else 1.2) / math.sqrt(shape[1])
    return "BF16", b"".join(bf16(scale * normal(rng)) for _ in range(shape[0] * shape[1]))


def write_safetensors(path, c, seed):
    rng, head, data = random.Random(seed), {}, b""
    for name, shape in shapes(c):
        dtype, raw = tensor(name, shape, rng)
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    h = json.dumps(head, separators=(",", ":")).encode()
    h += b" " * (-len(h) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(h)) + h + data)


def write_json(path, value):
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        json.dump(value, f, indent=1, ensure_ascii=False)
        f.write("\n")


def main(out):
    os.makedirs(out, exist_ok=True)
    t = tokenizer()
    c = config(len(t["model"]["vocab"]))
    write_json(f"{out}/tokenizer.json", t)
    write_json(f"{out}/config.json", c)
    write_safetensors(f"{out}/model.safetensors", c, seed=3)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
