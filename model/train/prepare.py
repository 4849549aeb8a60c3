"""Turns the corpus (JSON lines) into a tokenizer and tasks.

usage: prepare.py CORPUS_DIR OUT_DIR [FILE …]   (VOCAB in the environment: the size of the vocabulary, 12288)
CORPUS_DIR holds text/*.jsonl {"text"}, pairs/*.jsonl {"doc", "summary", "title", "w" (weight), "query" (optional)} and
qa/*.jsonl {"doc", "qas": [[question, answers], …]}, each plain or .xz. OUT_DIR gets tokenizer.json (unless it is there), none.npy and newline.npy
(token ids that train.py needs), pretrain.u16 (documents between BOS and EOS), heldout.u16 (60 texts that are in nothing else) and
tasks/NAME for each file (see tasks.py). With FILEs, of those files only, so that training can begin before all is prepared.
"""
import collections, glob, json, lzma, math, multiprocessing, os, random, re, sys
import numpy as np
from tokenizers import Tokenizer, models, trainers, pre_tokenizers, decoders, Regex
from tasks import Branch, save_shard

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
PRONOUN = {"it", "this", "there", "he", "they", "that", "which", "she", "we", "what", "these", "those", "here", "following", "result", "example", "value",
           "i", "you", "his", "her", "their", "its", "my", "our", "if", "when", "as", "in", "one", "some", "both", "each", "all", "most", "many", "such",
           "while", "then", "after", "before", "although", "though", "since", "because", "until", "once", "during", "at", "on", "from", "with", "by",
           "for", "and", "but", "or", "so", "no", "not", "however", "also", "thus", "first", "where", "how", "why", "who", "yes", "even", "only"}


SUBJECT = re.compile(r"^((?:The )?[A-Z][\w\-]*(?: (?:(?:of|the|and|de) )?[A-Z][\w\-]*){0,4}) (?=(?:is|was|are|were|has|had|can|will) |[a-z]{3,}ed )")
VERBS = {"is", "are", "was", "were", "has", "had", "have", "can", "could", "will", "would", "may", "must", "should"}
FOLLOWS = VERBS | {"in", "on", "at", "from", "to", "by", "of", "for", "with", "and", "or", "as", "that", "who", "which", "when", "while", "because", "but", "after", "before"}
BEFORE = {"in", "on", "at", "from", "to", "by", "of", "for", "with", "near", "since", "during", "until", "about", "around", "between"}


def ask(s, span, rng):
    """-> a question that `span` (a match in the sentence s) answers, or None: what stands around it, behind the fitting question word."""
    x = span.group()
    after = s[span.end():].split(" ", 2)
    if after[0] == "" and len(after) > 1 and after[1].strip(".,;") not in FOLLOWS or after[0][:1] not in ("", ".", ",", ";", ")"):
        if not x[0].isdigit():
            return None  # part of a longer name
    left = re.split(r"[,;:()\u2014\"] ?", s[:span.start()])[-1].split()[-10:]
    right = re.split(r"[,;:()\u2014\"]", s[span.end():])[0].rstrip(".!?").split()[:rng.randint(4, 10)]
    if left and left[-1].lower() in ("the", "a", "an"):
        left.pop()
    last = left[-1].lower() if left else ""
    if len(x) < 3 and not x[0].isdigit() or left and left[-1][0].isupper() and len(left) > 1:
        return None
    if re.fullmatch(r"1\d{3}|20\d\d", x):
        what = rng.choice(["When", "When", "In what year", "What year"])
    elif x[0].isdigit() and "percent" in x:
        what = rng.choice(["What percentage", "How much"])
    elif x[0].isdigit():
        if not right or not right[0].isalpha():
            return None
        what = "How many " + right.pop(0)
        left = left[:-1] if last in ("about", "around") else left
        last = ""
    elif last in ("in", "at", "near"):
        what = "Where"
    elif last == "by":
        what = rng.choice(["By whom", "Who", "By what"])
    else:
        what = rng.choice(["What", "What", "Who", "Which"]) if " " in x else rng.choice(["What", "Who"])
    if last in BEFORE:
        left.pop()
        if what in ("What", "Who", "Which") and last != "by":
            what = last.capitalize() + (" whom" if what == "Who" else " what") if rng.random() < 0.3 else what
            right = right + [last] if not what.lower().startswith(last) else right
    if left and left[0] in ("The", "A", "An", "In", "It", "This", "These", "His", "Her", "Its", "Their", "He", "She", "They"):
        left[0] = left[0].lower()
    i = next((i for i, w in enumerate(left) if w in VERBS), None)
    if i:  # the verb comes first
        left = [left[i]] + left[:i] + left[i + 1:]
    words = left + right
    verb = any(w.lower() in VERBS or re.fullmatch("[a-z]{2,}ed", w) for w in words)
    if not verb or not 4 <= len(words) <= 20 or sum(w[0].isalpha() for w in words) < 4:
        return None
    return what + " " + " ".join(words) + "?"


def look_ups(text, rng, most=8):
    """Questions that the text itself answers: what a thing is, a blank in a part of a sentence, and a question word in its place.
    [(task, prompt, answer, where the answer begins in the text)]."""
    out, ss = [], sentences(text[:60000])
    rng.shuffle(ss)
    for s in ss[:8 * most + 60]:
        if len(out) >= most:
            break
        at = text.find(s)
        m = DEFINED.match(s)
        if m and m.group(1).split()[0].lower() not in PRONOUN and m.group(1).split()[-1].lower() not in PRONOUN and rng.random() < 0.7:
            subject = m.group(1)
            if not subject.isupper() and subject.split()[0].istitle() and " " not in subject:
                subject = subject[0].lower() + subject[1:] if rng.random() < 0.5 else subject
            out.append(("define", PROMPTS["qa"] + f"What {m.group(2)} {subject}?", m.group(3), at + m.start(3)))
            continue
        m = SUBJECT.match(s)
        if m and m.group(1).split()[0].lower() not in PRONOUN and rng.random() < 0.5:
            rest = re.split(r"[,;:()\u2014]", s[m.end():])[0].rstrip(".!?").split()
            if 3 <= len(rest) <= 18:
                out.append(("ask", PROMPTS["qa"] + rng.choice(["Who", "What", "Which"] if " " in m.group(1) else ["What", "Who"]) + " " + " ".join(rest) + "?", m.group(1), at))
                continue
        spans = [x for x in ENTITY.finditer(s) if s.count(x.group()) == 1 and len(x.group()) < 60]
        if not spans:
            continue
        x = rng.choice(spans)
        if rng.random() < 0.5:
            q = ask(s, x, rng)
            if q:
                out.append(("ask", PROMPTS["qa"] + q, x.group(), at + x.start()))
        elif rng.random() < 0.8:
            left = " ".join(s[:x.start()].split(" ")[-rng.randint(4, 12):])
            right = " ".join(s[x.end():].split(" ")[:rng.randint(3, 10)])
            if len((left + right).split()) >= 8 and (left + right)[-1:] != ":":
                out.append(("fill", PROMPTS["fill"] + left + "____" + right, x.group(), at + x.start()))
    return out


def how_many(text):
    return min(60, 4 + len(text) // 500)


def said(what, text):
    """-> which share of the longer words of `what` stands in the text."""
    words = lambda s: {w for w in re.findall(r"[a-z0-9]+", s.lower()) if len(w) > 3}
    want = words(what)
    return len(want & words(text)) / len(want) if want else 0.0


def head(doc, title, summary, rng):
    """-> the document with another beginning, where it begins with its title: that is not to be learned as the place where titles stand."""
    first, _, rest = doc.partition("\n")
    rest, x = rest.lstrip("\n"), rng.random()
    if not title or first.lstrip("# ") != title or len(rest) < 300:
        return doc
    if x < 0.35 and said(title, rest) >= 0.7:
        return rest
    if 0.35 <= x < 0.55:
        return title + "\n\n" + rest
    if 0.55 <= x < 0.62:
        return title.upper() + "\n\n" + rest
    if 0.62 <= x < 0.67 and len(title.split()) < 4 and len(summary) < 160:
        return f"NAME\n     {title} - {summary}\n\nDESCRIPTION\n{rest}"
    return doc


def enrich(pair):
    """-> the pair with its key sentences and look-ups, and what else it teaches: a window from the middle (as a chunk is), with the title and summary
    of the whole where its own words say as much, and an excerpt (sentences of the document, one a line, as the reduce step gives)."""
    rng = random.Random(len(pair["doc"]))
    pair["doc"] = head(pair["doc"].rstrip(), pair.get("title"), pair["summary"], rng)
    if pair["summary"].lower().startswith("learn more about"):  # says nothing of its own
        pair["w"] = 0.3 * pair.get("w", 1)
    if len(pair["doc"]) < 2500 and "\n" not in pair["doc"] and said(pair["summary"], pair["doc"]) >= 0.6:  # an abstract, said shorter
        pair["w"] = 2.5 * pair.get("w", 1)
    key_sentences(pair)
    pair["look"] = look_ups(pair["doc"], rng, how_many(pair["doc"]))
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
            title = pair.get("title") or ""
            win = key_sentences({"doc": part, "summary": pair["summary"], "title": title if said(title, part) >= 0.75 else "", "w": w,
                                 "window": said(pair["summary"], part) < 0.75, "derived": True})
            win["look"] = look_ups(part, rng, how_many(part))
            out.append(win)
    if len(doc) > 3000 and not pair.get("query") and rng.random() < 0.4:
        ss = sentences(doc[:60000])
        keep = set(pair["key"])
        ss = [s for s in ss if s in keep or rng.random() < min(0.3, 40 / max(1, len(ss)))]
        if len(ss) >= 6:
            title = pair.get("title") or ""
            ex = {"doc": "\n".join(ss), "summary": pair["summary"], "title": title if said(title, " ".join(ss)) >= 0.75 else "", "w": w, "key": pair["key"], "look": [], "derived": True}
            out.append(ex)
    return out


def pieces(text):
    """A text in parts of 2000 to 50000 characters, cut between paragraphs, with look-ups: {"doc", "look"}."""
    rng, out, part = random.Random(len(text)), [], ""
    most = int(math.exp(rng.uniform(math.log(2000), math.log(50000))))
    for para in text.split("\n"):
        part += para + "\n"
        if len(part) > most:
            out.append(part); part = ""
            most = int(math.exp(rng.uniform(math.log(2000), math.log(50000))))
    out = [p.strip() for p in out + [part]]
    return [{"doc": p, "look": look_ups(p, rng, how_many(p))} for p in out if p]


def look_at(passage):
    return look_ups(passage, random.Random(len(passage)), min(12, 1 + len(passage) // 250))


def alike(docs, most=8):
    """-> of each document the numbers of up to `most` others that share the most rare words with it, the best first."""
    words = [set(re.findall(r"[a-z0-9]{3,}", d.lower())) for d in docs]
    where = collections.defaultdict(list)
    for i, ws in enumerate(words):
        for w in ws:
            where[w].append(i)
    out = []
    for i, ws in enumerate(words):
        score = collections.Counter()
        for w in ws:
            if 2 <= len(where[w]) <= 60:
                for j in where[w]:
                    score[j] += 1 / math.log(1 + len(where[w]))
        del score[i]
        out.append([j for j, _ in score.most_common(most + 4) if words[j] != ws][:most])
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


def pair_tasks(pairs):
    """-> (documents, branches as text, weights, numbers of those that are made of others)."""
    docs, branches, weight, at, derived = [], [], [], {}, set()
    for p in pairs:
        # a summary asked for by a question is a long answer
        br = [("long", PROMPTS["qa"] + p["query"], p["summary"], -1)] if p.get("query") else \
            [] if p.get("window") else [("summary", PROMPTS["summary"], p["summary"], -1)]
        if p.get("title"):
            br.append(("title", PROMPTS["title"], p["title"], -1))
        if p.get("key") and not p.get("query"):
            br.append(("key", PROMPTS["key"], "\n".join(p["key"]), -1))
        br += p["look"]
        if br and p["doc"] in at:  # asked again about the same document
            i = at[p["doc"]]
            branches[i] += br[:1] if p.get("query") else br
            weight[i] = min(4, weight[i] + 0.2)
        elif br:
            at[p["doc"]] = len(docs)
            if p.get("derived"):
                derived.add(len(docs))
            docs.append(p["doc"]); branches.append(br); weight.append(p.get("w", 1))
    return docs, branches, weight, derived


POLICY = re.compile(r"\b(?:privacy|personal (?:information|data)|cookies|your information|third[- ]part(?:y|ies))\b", re.I)


def trusted(doc, qas):
    """-> a weight for a passage: less where its answers are not in its words, or long, or it is of those policies whose answers are often wrong."""
    say = lambda a: 0.25 if a.lower() not in doc.lower() or len(a.split()) > 30 else 1.0 if len(a.split()) <= 12 else 0.5
    of = [say(a[0]) if a else 1.0 for _, a in qas]
    return sum(of) / len(of) * (0.3 if POLICY.search(doc) and re.search(r"\b(?:we|our|your)\b", doc) else 1.0)


def qa_tasks(records, pool):
    by = {}
    for r in records:
        by.setdefault(r["doc"].rstrip(), []).extend(r["qas"])
    docs = list(by)
    place = lambda d, a: d.find(a) if d.count(a) == 1 else -1
    branches = [[("qa", PROMPTS["qa"] + q.strip(), a[0], place(d, a[0])) if a else ("none", PROMPTS["qa"] + q.strip(), UNANSWERABLE, -1)
                 for q, a in by[d]] for d in docs]
    for br, look in zip(branches, pool.map(look_at, docs, chunksize=200)):
        br += look
    return docs, branches, [trusted(d, by[d]) for d in docs]


ASKED = ("who", "where", "when", "many", "how")
NUMBERS = set("one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand million once twice".split())


def shape(kind, prompt, answer):
    """-> a number for answers of like kind, that may stand for each other in a text; 0: none may."""
    words = answer.split()
    if kind not in ("qa", "ask", "fill") or not 1 <= len(words) <= 5 or len(answer) > 40 or not answer[0].isalnum() or not answer[-1].isalnum():
        return 0
    if re.fullmatch(r"1\d{3}|20\d\d", answer):
        return 1
    if answer[0].isdigit():
        return 1 + min(len(words), 3)
    if words[0].lower() in NUMBERS:
        return 4 + min(len(words), 2)
    if answer.lower() in ("yes", "no"):
        return 0
    first = re.findall("[a-z]+", prompt[len(PROMPTS["qa"]):].lower())[:3] if kind != "fill" else []
    what = next((k for k, w in enumerate(ASKED, 1) if w in first), 0)
    if all(w[0].isupper() or w in ("of", "the", "and", "de") for w in words):
        return 10 + 3 * what + min(len(words), 3)
    return 30 + 6 * what + len(words) if answer.islower() else 0


def tokens_of(tok, docs, branches):
    """Text -> (token ids of the documents, of each the Branches)."""
    short = lambda b: b[0] in ("qa", "ask", "define", "fill")
    flat = encode(tok, [s for br in branches for b in br for s in (b[1], b[2], " " + b[2] if short(b) else "")], 20000)
    place = lambda d, at: len(d[:at].encode()) if at >= 0 else -1
    made = [[Branch(b[0], next(flat), next(flat), next(flat), shape(*b[:3]), place(d, b[3])) for b in br] for d, br in zip(docs, branches)]
    return list(encode(tok, docs)), made


def sample_texts(src, rng):
    """Of each kind of text some, for the tokenizer."""
    text, pairs, qa = (list(lines(f"{src}/{k}/*.jsonl*")) for k in ("text", "pairs", "qa"))
    out = [d["text"][:20000] for d in rng.sample(text, min(len(text), 6000))]
    out += [p["doc"][:8000] for p in rng.sample(pairs, min(len(pairs), 12000))]
    return out + [" ".join([d["doc"]] + [q for q, _ in d["qas"]]) for d in rng.sample(qa, min(len(qa), 20000))]


def held_out(text, rng):
    """-> (60 texts, the others). A text with a line of the file HELD (in the environment) is among the 60, from there on, and comes first."""
    heads = open(os.environ["HELD"], encoding="utf-8").read().splitlines() if "HELD" in os.environ else []
    first = [t[t.index(h):] for h in heads for t in text if h in t]
    text = [t for t in text if not any(h in t for h in heads)]
    rng.shuffle(text)
    n = 60 - len(first)
    return first + text[:n], text[n:]


def main(src, dst, names):
    os.makedirs(f"{dst}/tasks", exist_ok=True)
    path = f"{dst}/tokenizer.json"
    if not os.path.exists(path):
        train_tokenizer(sample_texts(src, random.Random(0)), int(os.environ.get("VOCAB", 12288))).save(path)
    tok = Tokenizer.from_file(path)
    for name, s in (("none", UNANSWERABLE), ("newline", "\n\n")):
        np.save(f"{dst}/{name}.npy", np.array(tok.encode(s, add_special_tokens=False).ids, dtype=np.uint16))
    for f in names or sorted(glob.glob(f"{src}/*/*.jsonl*")):
        kind, name = f.split("/")[-2], os.path.basename(f).split(".")[0]
        near, derived = None, ()
        with multiprocessing.Pool() as pool:
            if kind == "qa":
                docs, branches, weight = qa_tasks(lines(f), pool)
                near = alike(docs)
            elif kind == "pairs":
                docs, branches, weight, derived = pair_tasks(x for part in pool.imap(enrich, lines(f), chunksize=100) for x in part)
            else:
                held, rest = held_out([d["text"] for d in lines(f)], random.Random(0))
                np.concatenate([np.concatenate([[BOS], i, [EOS]]) for i in encode(tok, held)]).astype(np.uint16).tofile(f"{dst}/heldout.u16")
                parts = [x for p in pool.imap(pieces, rest, chunksize=20) for x in p]
                docs, branches, weight = [x["doc"] for x in parts], [x["look"] for x in parts], [1] * len(parts)
        ids, made = tokens_of(tok, docs, branches)
        with open(f"{dst}/pretrain.u16", "ab") as out:
            for x in (x for i, x in enumerate(ids) if i not in derived):
                np.concatenate([[BOS], x, [EOS]]).astype(np.uint16).tofile(out)
        counts = collections.Counter(b[0] for br in branches for b in br)
        save_shard(f"{dst}/tasks/{kind}-{name}", ids, made, weight, near)
        print(name, len(docs), "documents,", sum(map(len, ids)) / 1e6, "M tokens,", dict(counts), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
