"""The store of tasks that prepare.py writes and train.py reads, and the sequences that are made of it."""
import bisect, glob, itertools, json, math, os, random, shutil, time
import numpy as np

BOS, EOS, PAD, USER, ASSISTANT = range(5)
KINDS = ["summary", "title", "key", "long", "qa", "none", "define", "fill", "ask"]
LOOK_UPS = [KINDS.index(k) for k in ("define", "fill", "ask")]
QA, NONE = KINDS.index("qa"), KINDS.index("none")


def save_shard(path, docs, branches, weight, alike=None):
    """docs: token ids of each document; branches: of each document [(kind, prompt ids, answer ids), …]; alike: of each document up to 8 others of the
    shard that are like it. Files in the folder `path`, which appears when they are whole."""
    tmp = path + ".tmp"
    shutil.rmtree(tmp, ignore_errors=True)
    os.makedirs(tmp)
    flat = [b for bs in branches for b in bs]
    put = lambda name, x: np.save(f"{tmp}/{name}.npy", x)
    edges = lambda xs: np.concatenate([[0], np.cumsum([len(x) for x in xs])]).astype(np.int64)
    put("doc", np.concatenate(docs).astype(np.uint16)); put("doc_at", edges(docs))
    put("branch", np.concatenate([x for b in flat for x in b[1:]] or [[]]).astype(np.uint16))
    put("branch_at", edges([x for b in flat for x in b[1:]])); put("branch_of", edges(branches))
    put("kind", np.array([KINDS.index(b[0]) for b in flat], np.uint8)); put("weight", np.array(weight, np.float32))
    near = np.full((len(docs), 8), -1, np.int32)
    for i, a in enumerate(alike or []):
        near[i, :len(a)] = a[:8]
    put("alike", near)
    os.rename(tmp, path)


class Shard:
    def __init__(self, path):
        for f in glob.glob(f"{path}/*.npy"):
            setattr(self, os.path.basename(f)[:-4], np.load(f, mmap_mode="r"))
        self.doc_at, self.branch_at, self.branch_of = (np.array(x) for x in (self.doc_at, self.branch_at, self.branch_of))
        self.kind = np.array(self.kind)
        self.length = np.diff(self.doc_at)

    def __len__(self):
        return len(self.length)

    def tokens(self, i):
        return np.asarray(self.doc[self.doc_at[i]:self.doc_at[i + 1]])

    def branches(self, i):
        return range(self.branch_of[i], self.branch_of[i + 1])

    def branch_tokens(self, b):
        """-> (prompt, answer)."""
        at = self.branch_at
        return np.asarray(self.branch[at[2 * b]:at[2 * b + 1]]), np.asarray(self.branch[at[2 * b + 1]:at[2 * b + 2]])


class Chooser:
    """Draws from items in proportion to their weights."""

    def __init__(self, items, weights):
        self.items, self.sums = items, list(itertools.accumulate(weights))

    def draw(self, rng, lo=0.0):
        x = rng.uniform(lo * self.sums[-1], self.sums[-1])
        return self.items[min(bisect.bisect_left(self.sums, x), len(self.items) - 1)]


def token_bytes(path):
    """-> the bytes of each token of a byte-level tokenizer.json."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    byte = {chr(b if b in plain else next(spare)): b for b in range(256)}
    vocab = json.load(open(path, encoding="utf-8"))["model"]["vocab"]
    out = [b""] * (max(vocab.values()) + 1)
    for s, i in vocab.items():
        out[i] = bytes(byte[ch] for ch in s) if i > 4 else b""
    return out


class Tasks:
    """Builds sequences of L tokens out of groups: a document and the branches (prompts with answers) that follow it.
    A branch sees its document and itself only, at the positions right behind the document, as in use."""

    def __init__(self, data, L, seed, long=0.5):
        self.data, self.L, self.rng, self.long = data, L, random.Random(seed), long
        while not self.shards():
            time.sleep(0.5)
        self.none, self.newline = np.load(f"{data}/none.npy"), np.load(f"{data}/newline.npy")
        self.bytes = token_bytes(f"{data}/tokenizer.json")
        self.names = None
        self.refresh()

    def shards(self):
        return sorted(n for n in glob.glob(f"{self.data}/tasks/*") if not n.endswith(".tmp"))

    def refresh(self):
        """Takes in the shards that are there."""
        names = self.shards()
        if names == self.names:
            return
        self.names, shards = names, {os.path.basename(n): Shard(n) for n in names}
        self.qa = [s for n, s in shards.items() if n.startswith("qa")]
        self.pairs = [s for n, s in shards.items() if n.startswith("pairs")]
        self.texts = [s for n, s in shards.items() if n.startswith("text")]
        every = lambda ss, ok=lambda s, i: True: [(s, i) for s in ss for i in range(len(s)) if ok(s, i)]
        if self.qa:
            asked = lambda s, i: max(0.3, min(8, sum(1 for b in s.branches(i) if s.kind[b] == QA)))
            items = every(self.qa)
            self.passages = Chooser(items, [asked(s, i) for s, i in items])
            items = [(s, i) for s, i in items if 25 <= s.length[i] <= 1000]
            self.short = Chooser(items, [asked(s, i) ** 0.7 for s, i in items])
        # documents with summaries, the shortest first, so that the longest fifth can be asked for
        items = sorted(every(self.pairs, lambda s, i: s.length[i] > 150), key=lambda x: x[0].length[x[1]])
        self.summed = Chooser(items, [float(s.weight[i]) for s, i in items]) if items else None
        items = every(self.pairs + self.texts, lambda s, i: 150 < s.length[i] <= 4000 and s.branch_of[i + 1] > s.branch_of[i])
        self.pages = Chooser(items, [1.0] * len(items)) if items else None
        items = every(self.texts + self.pairs, lambda s, i: s.length[i] > 400)
        self.plain = Chooser(items, [float(s.length[i]) for s, i in items]) if items else None

    def slice(self, n):
        s, i = (self.plain or self.passages).draw(self.rng)
        a = self.rng.randrange(max(1, int(s.length[i]) - n))
        return s.tokens(i)[a:a + n]

    def holds(self, doc, ids):
        """Whether the answer stands in the document."""
        text = lambda x: b"".join(self.bytes[i] for i in x).lower()
        return text(ids).strip() in text(doc)

    def absent(self, near, inside, doc):
        """-> a question of a passage that is not in the document (`inside`: those that are), or None. near: passages like those in it."""
        for _ in range(4):
            s, i = self.rng.choice(near) if near and self.rng.random() < 0.7 else self.short.draw(self.rng)
            if (id(s), i) in inside:
                continue
            ask = [b for b in s.branches(i) if s.kind[b] == QA]
            if ask:
                p, a = s.branch_tokens(self.rng.choice(ask))
                if not self.holds(doc, a):
                    return p, self.none
        return None

    def alike(self, s, i):
        return [(s, int(j)) for j in s.alike[i] if j >= 0]

    def alone(self, room):
        """A passage by itself, with its questions."""
        r = self.rng
        s, i = self.passages.draw(r)
        doc = s.tokens(i)
        if len(doc) > room - 400:
            s, i = self.short.draw(r)
            doc = s.tokens(i)
        ask = [b for b in s.branches(i) if s.kind[b] in (QA, NONE)]
        look = [b for b in s.branches(i) if s.kind[b] in LOOK_UPS]
        chosen = r.sample(ask, min(len(ask), 8)) + r.sample(look, min(len(look), 3))
        br = [s.branch_tokens(b) for b in chosen]
        if r.random() < 0.12 * (len(br) + 1):
            br.append(self.absent(self.alike(s, i), {(id(s), i)}, doc))
        return doc, br

    def hidden(self, size, pages=False):
        """Passages one after the other, and questions about some of them; pages: documentation and prose, with look-ups, instead."""
        r = self.rng
        parts, inside, near, n = [], set(), [], 0
        source = self.pages if pages else self.short
        other = r.choice((0.0, 0.0, 0.0, 0.1, 0.3))
        for _ in range(2000):
            if n >= size - 40:
                break
            if r.random() < other:
                f = self.slice(min(size - n, r.randint(80, 500)))
                parts.append((None, 0, f)); n += len(f) + 1
                continue
            # what is like a passage that is there makes the search harder
            s, i = r.choice(near) if near and not pages and r.random() < 0.25 else source.draw(r)
            if (id(s), i) in inside:
                continue
            d = s.tokens(i)
            if n + len(d) + 1 > size:
                if n < size * 0.8 and len(parts) < 2:  # a first part that does not fit
                    parts.append((None, 0, d[:size - n]))
                    n += len(d)
                break
            inside.add((id(s), i))
            parts.append((s, i, d)); n += len(d) + 1
            if not pages:
                near = (near + self.alike(s, i))[-64:]
        r.shuffle(parts)
        doc = np.concatenate([x for p in parts for x in (self.newline, p[2])][1:]) if parts else self.slice(size)
        most = max(4, min(44, n // 300))
        br = []
        for s, i, d in r.sample(parts, len(parts)):
            if len(br) >= most or s is None:
                continue
            ask = [b for b in s.branches(i) if s.kind[b] == QA]
            look = [b for b in s.branches(i) if s.kind[b] in LOOK_UPS]
            few = max(1, min(4, most // max(1, len(parts))))
            chosen = r.sample(ask, min(len(ask), few)) if ask and r.random() < 0.75 else []
            if look and (not chosen or r.random() < 0.3):
                chosen += r.sample(look, min(len(look), few if pages else 1))
            br += [s.branch_tokens(b) for b in chosen]
        if self.qa:
            near = [x for x in near if (id(x[0]), x[1]) not in inside]
            for _ in range(sum(r.random() < 0.13 for _ in range(len(br) + 1))):
                br.append(self.absent(near, inside, doc))
        return doc, br

    def page(self, room, longest):
        """A document with its summary and the rest."""
        r = self.rng
        s, i = self.summed.draw(r, 0.8 if longest else 0.0)
        bs = list(s.branches(i))
        doc = s.tokens(i)
        if len(doc) > room - 900:
            doc = doc[:room - 900]
            bs = [b for b in bs if KINDS[s.kind[b]] in ("summary", "title")]
        look = [b for b in bs if s.kind[b] in LOOK_UPS]
        bs = [b for b in bs if s.kind[b] not in LOOK_UPS]
        bs = r.sample(bs, min(len(bs), 6)) + r.sample(look, min(len(look), 3 + len(doc) // 1000))
        return doc, [s.branch_tokens(b) for b in bs]

    def group(self, room, long):
        """-> (doc ids, [(prompt, answer)])."""
        r = self.rng
        x = r.random()
        size = lambda a, b: int(math.exp(r.uniform(math.log(a), math.log(max(a, b)))))
        if long:
            x = x if self.summed else 0.0
            if x < 0.72 and self.qa:
                return self.hidden(min(size(room // 4, room) + room // 8, room - 1300))
            if x < 0.85 and self.pages:
                return self.hidden(size(room // 4, room - 1300), True)
            return self.page(room, True)
        x = x if self.summed else x * 0.70
        if self.qa and (x < 0.26 or room < 1500):
            return self.alone(room)
        if self.qa and x < 0.70:
            return self.hidden(size(300, min(3000, room - 500)))
        if x < 0.94 and self.summed:
            return self.page(room, False)
        return self.slice(min(room, 2000)), []

    def sequence(self):
        L, r = self.L, self.rng
        ids, tgt, pos, seg, grp = (np.zeros(L, np.int32) for _ in range(5))
        share = np.zeros(L, np.float32)
        tgt[:] = -100
        grp[:] = -1
        n = g = 0
        long = r.random() < self.long
        while L - n > 400:
            doc, br = self.group(L - n, long)
            br = [b for b in br if b is not None]
            r.shuffle(br)
            long = False
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
                # a long answer counts more than a short one, but not by every token
                share[n + len(p):e - 1] = (len(b) - len(p) - 1) ** -0.5
                n = e
            g += 1
        return ids, tgt, pos, seg, grp, share


class Loader:
    """Worker processes that make batches ahead of the training loop. Shards that appear while it runs are taken in."""

    def __init__(self, data, L, B, seed, workers, long):
        import multiprocessing as mp
        ctx = mp.get_context("fork")
        self.q = ctx.Queue(maxsize=workers * 2)

        def work(i):
            t = Tasks(data, L, seed * 1000 + i, long)
            for n in itertools.count(1):
                self.q.put([np.stack(x) for x in zip(*[t.sequence() for _ in range(B)])])
                if n % 16 == 0:
                    t.refresh()
        self.procs = [ctx.Process(target=work, args=(i,), daemon=True) for i in range(workers)]
        for p in self.procs:
            p.start()

    def next(self, device):
        import torch
        return [x if x.dtype == torch.float32 else x.long() for x in (torch.from_numpy(x).to(device, non_blocking=True) for x in self.q.get())]
