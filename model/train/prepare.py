"""Turns the corpus (JSON lines) into a tokenizer and token arrays.

usage: prepare.py CORPUS_DIR OUT_DIR   (VOCAB in the environment: the size of the vocabulary, 12288)
CORPUS_DIR holds text/*.jsonl {"text"}, pairs/*.jsonl {"doc", "summary", "title", "w" (weight), "query" (optional)} and
qa/*.jsonl {"doc", "qas": [[question, answers], …]}, each plain or .xz. OUT_DIR gets tokenizer.json, pretrain.u16 (documents between BOS and EOS),
heldout.u16 (60 texts that are not in it), none.npy and newline.npy (token ids that train.py needs) and
tasks.pkl: [[kind, doc ids, [(task, prompt ids, answer ids), …], weight], …].
"""
import collections, glob, json, lzma, multiprocessing, os, pickle, random, re, sys
import numpy as np
from tokenizers import Tokenizer, models, trainers, pre_tokenizers, decoders, Regex

SPECIAL = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<｜User｜>", "<｜Assistant｜>"]
BOS, EOS, PAD, USER, ASSISTANT = range(5)
PROMPTS = {"summary": "\n\nSummarize the document.", "title": "\n\nGive the document a title.",
           "key": "\n\nQuote the key sentences.", "qa": "\n\nQuestion: ", "fill": "\n\nFill in: "}
UNANSWERABLE = "Not stated in the document."
SPLITS = ["\\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
          "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
          "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]


def lines(pattern):
    for path in sorted(glob.glob(pattern)):
        op = lzma.open if path.endswith(".xz") else open
        with op(path, "rt", encoding="utf-8") as f:
            for line in f:
                yield json.loads(line)


def sentences(text):
    """Sentences worth quoting: 5 to 60 words, with an end mark, on one line."""
    out = [s.strip() for s in re.split(r"(?<=[.!?])\s+|\n+", text)]
    return [s for s in out if 5 <= len(s.split()) <= 60 and s[-1] in ".!?" and s[0].isalnum()]


def grams(words, n):
    return collections.Counter(zip(*[words[i:] for i in range(n)]))


def overlap_f(a, b):
    m = sum((a & b).values())
    return 2 * m / (sum(a.values()) + sum(b.values())) if m else 0.0


def key_sentences(pair, most=3):
    """The sentences of the document that together come nearest to its summary (ROUGE-1 + ROUGE-2, greedy), in document order."""
    w = lambda s: re.findall(r"[a-z0-9]+", s.lower())
    ref = w(pair["summary"])
    r1, r2 = grams(ref, 1), grams(ref, 2)
    stop = {x for x, in r1 if len(x) < 4}
    cand = []
    for i, s in enumerate(sentences(pair["doc"][:60000])):
        ws = w(s)
        hit = sum(1 for x in set(ws) if (x,) in r1 and x not in stop)
        cand.append((hit / (len(ws) + 8), i, s, ws))
    cand = sorted(cand, reverse=True)[:12]
    chosen, best = [], 0.0
    while len(chosen) < most:
        gain = None
        for c in cand:
            if c in chosen:
                continue
            ws = [x for k in chosen + [c] for x in k[3]]
            f = overlap_f(grams(ws, 1), r1) + overlap_f(grams(ws, 2), r2)
            if f > best + 0.02 and (gain is None or f > gain[0]):
                gain = (f, c)
        if gain is None:
            break
        best, c = gain
        chosen.append(c)
    pair["key"] = [c[2] for c in sorted(chosen, key=lambda c: c[1])] if best > 0.3 else []
    return pair


ENTITY = re.compile(r"(?<=[a-z,] )[A-Z][A-Za-z]+(?: (?:of |the |and )?[A-Z][A-Za-z]+){0,3}|\b\d[\d,.]*\d\b(?: (?:percent|million|billion|years|days|hours|bytes|bits))?")
DEFINED = re.compile(r"^(?:The |A |An )?([A-Za-z][\w\-]*(?: [\w\-]+){0,4}) (is|are) ((?:a|an|the|used|any|one|defined) [^.;:]{20,160})[.;]")
PRONOUN = {"it", "this", "there", "he", "they", "that", "which", "she", "we", "what", "these", "those", "here", "following", "result", "example", "value"}


def look_ups(text, rng, most=8):
    """Questions that the text itself answers: what a thing is, and a blank in a part of a sentence. [(task, prompt, answer)]."""
    out, ss = [], sentences(text[:60000])
    rng.shuffle(ss)
    for s in ss[:120]:
        if len(out) >= most:
            break
        m = DEFINED.match(s)
        if m and m.group(1).split()[0].lower() not in PRONOUN and m.group(1).split()[-1].lower() not in PRONOUN and rng.random() < 0.7:
            subject = m.group(1)
            if not subject.isupper() and subject.split()[0].istitle() and " " not in subject:
                subject = subject[0].lower() + subject[1:] if rng.random() < 0.5 else subject
            out.append(("define", PROMPTS["qa"] + f"What {m.group(2)} {subject}?", m.group(3)))
            continue
        spans = [x for x in ENTITY.finditer(s) if s.count(x.group()) == 1 and len(x.group()) < 60]
        if spans and rng.random() < 0.6:
            x = rng.choice(spans)
            left = " ".join(s[:x.start()].split(" ")[-rng.randint(4, 12):])
            right = " ".join(s[x.end():].split(" ")[:rng.randint(3, 10)])
            if len((left + right).split()) >= 8 and (left + right)[-1:] != ":":
                out.append(("fill", PROMPTS["fill"] + left + "____" + right, x.group()))
    return out


def enrich(pair):
    """-> the pair with its key sentences and look-ups, and what else it teaches: a window from the middle (as a chunk is), and an excerpt
    (sentences of the document, one a line, as the reduce step gives)."""
    rng = random.Random(len(pair["doc"]))
    pair["doc"] = pair["doc"].rstrip()
    key_sentences(pair)
    pair["look"] = look_ups(pair["doc"], rng)
    out = [pair]
    doc, w = pair["doc"], pair.get("w", 1)
    if len(doc) > 9000 and not pair.get("query"):
        paras = doc.split("\n")
        a = rng.randrange(len(paras) // 4, max(len(paras) // 4 + 1, len(paras) * 3 // 4))
        part = ""
        for q in paras[a:]:
            part += q + "\n"
            if len(part) > 6000:
                break
        part = part.strip()
        if len(part) > 1500:
            win = key_sentences({"doc": part, "summary": pair["summary"], "title": "", "w": w, "window": True, "derived": True})
            win["look"] = look_ups(part, rng)
            out.append(win)
    if len(doc) > 3000 and not pair.get("query") and rng.random() < 0.4:
        ss = sentences(doc[:60000])
        keep = set(pair["key"])
        ss = [s for s in ss if s in keep or rng.random() < min(0.3, 40 / max(1, len(ss)))]
        if len(ss) >= 6:
            ex = {"doc": "\n".join(ss), "summary": pair["summary"], "title": pair.get("title", ""), "w": w, "key": pair["key"], "look": [], "derived": True}
            out.append(ex)
    return out


def train_tokenizer(texts, size):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(s), "isolated") for s in SPLITS]
        + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    tr = trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIAL, show_progress=False,
                             initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    t.train_from_iterator(texts, tr)
    return t


def encode(tok, texts, batch=2000):
    for i in range(0, len(texts), batch):
        for e in tok.encode_batch(texts[i:i + batch], add_special_tokens=False):
            yield np.array(e.ids, dtype=np.uint16)


def main(src, dst):
    os.makedirs(dst, exist_ok=True)
    rng = random.Random(0)
    text = [d["text"] for d in lines(f"{src}/text/*.jsonl*")]
    pairs = list(lines(f"{src}/pairs/*.jsonl*"))
    qa = [{"doc": d["doc"], "question": q, "answers": a} for d in lines(f"{src}/qa/*.jsonl*") for q, a in d["qas"]]
    with multiprocessing.Pool() as pool:
        pairs = [x for part in pool.map(enrich, pairs, chunksize=200) for x in part]
    print("with key sentences", sum(1 for p in pairs if p["key"]), "look-ups", sum(len(p["look"]) for p in pairs), flush=True)
    print(len(text), "texts", sum(map(len, text)) / 1e6, "Mchar;", len(pairs), "pairs", sum(len(p["doc"]) for p in pairs) / 1e6, "Mchar;", len(qa), "qa", flush=True)
    path = f"{dst}/tokenizer.json"
    if not os.path.exists(path):
        sample = [t[:20000] for t in rng.sample(text, min(len(text), 6000))]
        sample += [p["doc"][:8000] for p in rng.sample(pairs, min(len(pairs), 12000))]
        sample += [q["doc"] + " " + q["question"] for q in rng.sample(qa, min(len(qa), 20000))]
        train_tokenizer(sample, int(os.environ.get("VOCAB", 12288))).save(path)
    tok = Tokenizer.from_file(path)
    print("tokenizer", tok.get_vocab_size(), flush=True)

    for name, s in (("none", UNANSWERABLE), ("newline", "\n\n")):
        np.save(f"{dst}/{name}.npy", np.array(tok.encode(s, add_special_tokens=False).ids, dtype=np.uint16))
    tasks, docs, seen, at = [], [], {}, {}
    for p in pairs:
        # a summary asked for by a question is a long answer
        br = [("long", PROMPTS["qa"] + p["query"], p["summary"])] if p.get("query") else \
            [] if p.get("window") else [("summary", PROMPTS["summary"], p["summary"])]
        if p.get("title"):
            br.append(("title", PROMPTS["title"], p["title"]))
        if p.get("key") and not p.get("query"):
            br.append(("key", PROMPTS["key"], "\n".join(p["key"])))
        br += p["look"]
        if br and p["doc"] in at:  # asked again about the same document
            t = tasks[at[p["doc"]]]
            t[2] += br[:1] if p.get("query") else br
            t[3] = min(4, t[3] + 0.2)
        elif br:
            at[p["doc"]] = len(tasks)
            docs.append(p["doc"]); tasks.append(["pair", None, br, p.get("w", 1)])
    for q in qa:
        d = q["doc"].rstrip()
        if d not in seen:
            seen[d] = len(tasks)
            docs.append(d); tasks.append(["qa", None, [], 1])
        a = q["answers"][0] if q["answers"] else UNANSWERABLE
        tasks[seen[d]][2].append(("qa" if q["answers"] else "none", PROMPTS["qa"] + q["question"].strip(), a))
    flat = [s for t in tasks for b in t[2] for s in (b[1], b[2])]
    it = encode(tok, flat)
    for t in tasks:
        t[2] = [(b[0], next(it), next(it)) for b in t[2]]
    for t, ids in zip(tasks, encode(tok, docs)):
        t[1] = ids
    pickle.dump(tasks, open(f"{dst}/tasks.pkl", "wb"))
    print("tasks", len(tasks), "doc tokens", sum(len(t[1]) for t in tasks) / 1e6, "M", flush=True)
    rng.shuffle(text)
    held, text = text[:60], text[60:]
    np.concatenate([np.concatenate([[BOS], i, [EOS]]) for i in encode(tok, held)]).astype(np.uint16).tofile(f"{dst}/heldout.u16")
    n = 0
    with open(f"{dst}/pretrain.u16", "wb") as f:
        for part in (text, list(dict.fromkeys(p["doc"] for p in pairs if not p.get("derived"))), list(seen)):
            for ids in encode(tok, part):
                a = np.concatenate([[BOS], ids, [EOS]]).astype(np.uint16)
                a.tofile(f); n += len(a)
    print("pretrain tokens", n / 1e6, "M", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
