"""The store of tasks that prepare.py writes and train.py reads, and the sequences that are made of it."""
import bisect, collections, glob, itertools, json, math, os, random, shutil, time
import numpy as np

BOS, EOS, PAD, USER, ASSISTANT = range(5)
KINDS = ["summary", "title", "key", "long", "qa", "none", "define", "fill", "ask"]
LOOK_UPS = [KINDS.index(k) for k in ("define", "fill", "ask")]
FILL = KINDS.index("fill")
QA, NONE, KEY, SUMMARY, TITLE = (KINDS.index(k) for k in ("qa", "none", "key", "summary", "title"))

# prompt and answer: token ids; spaced: the answer's behind a space, as it stands within a text (empty: not to be replaced); shape: which answers are of
# like kind (0: none); place: where the document has it, in bytes (-1: unknown); weight: of the answer's loss
Branch = collections.namedtuple("Branch", "kind prompt answer spaced shape place weight", defaults=(1.0,))


def save_shard(path, docs, branches, weight, alike=None):
    """docs: token ids of each document; branches: of each document [Branch with the kind's name, …]; alike: of each document up to 8 others of the
    shard that are like it. Files in the folder `path`, which appears when they are whole."""
    tmp = path + ".tmp"
    shutil.rmtree(tmp, ignore_errors=True)
    os.makedirs(tmp)
    flat = [b for bs in branches for b in bs]
    put = lambda name, x: np.save(f"{tmp}/{name}.npy", x)
    edges = lambda xs: np.concatenate([[0], np.cumsum([len(x) for x in xs])]).astype(np.int64)
    put("doc", np.concatenate(docs).astype(np.uint16)); put("doc_at", edges(docs))
    parts = [x for b in flat for x in (b.prompt, b.answer, b.spaced)]
    put("branch", np.concatenate(parts or [[]]).astype(np.uint16)); put("branch_at", edges(parts)); put("branch_of", edges(branches))
    put("kind", np.array([KINDS.index(b.kind) for b in flat], np.uint8)); put("weight", np.array(weight, np.float32))
    put("shape", np.array([b.shape for b in flat], np.uint8)); put("place", np.array([b.place for b in flat], np.int32))
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
        self.kind, self.shape, self.place = (np.array(x) for x in (self.kind, self.shape, self.place))
        self.length = np.diff(self.doc_at)

    def __len__(self):
        return len(self.length)

    def tokens(self, i):
        return np.asarray(self.doc[self.doc_at[i]:self.doc_at[i + 1]])

    def branches(self, i):
        return range(self.branch_of[i], self.branch_of[i + 1])

    def read(self, b):
        at = self.branch_at[3 * b:3 * b + 4]
        return Branch(int(self.kind[b]), *(np.asarray(self.branch[at[k]:at[k + 1]]) for k in range(3)), int(self.shape[b]), int(self.place[b]))


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


class Words:
    """What the tokens of a vocabulary are made of, as far as passages can be cut and changed by it."""

    def __init__(self, path):
        self.bytes = token_bytes(path)
        self.ids = {b: i for i, b in enumerate(self.bytes) if b}
        flags = lambda f: np.array([bool(b) and f(b) for b in self.bytes])
        letter = lambda x: chr(x).isalnum() or x > 127
        self.size = np.array([len(b) for b in self.bytes])
        self.goes_on, self.ends_in = flags(lambda b: letter(b[0])), flags(lambda b: letter(b[-1]))
        self.stops = flags(lambda b: b"\n" in b or b.strip()[-1:] in (b".", b"!", b"?"))
        self.begins = flags(lambda b: b[:1] == b" ")

    def text(self, ids):
        return b"".join(self.bytes[i] for i in ids)

    def holds(self, doc, ids):
        """Whether the answer stands in the document."""
        return self.text(ids).lower().strip() in self.text(doc).lower()

    def places(self, ids, want):
        """-> where `want` stands in ids as whole words, rising, without overlap."""
        n = len(want)
        if n == 0 or len(ids) < n:
            return []
        at = np.flatnonzero(ids[:len(ids) - n + 1] == want[0])
        for k in range(1, n):
            at = at[ids[at + k] == want[k]]
        out, end = [], 0
        for i in at.tolist():
            inside = i and self.goes_on[want[0]] and self.ends_in[ids[i - 1]] or i + n < len(ids) and self.goes_on[ids[i + n]] and self.ends_in[want[-1]]
            if i >= end and not inside:
                out.append(i)
                end = i + n
        return out

    def put(self, ids, old, new):
        """-> ids with `new` for every `old`."""
        at = self.places(ids, old)
        if not at:
            return ids
        edge = [0] + [x for i in at for x in (i, i + len(old))] + [len(ids)]
        kept = [ids[a:b] for a, b in zip(edge[::2], edge[1::2])]
        return np.concatenate([x for k in kept for x in (k, new)][:-1])

    def replace(self, ids, old, new):
        """-> ids with the answer of the branch `new` for that of `old`, within the text and at its beginning."""
        return self.put(self.put(ids, old.spaced, new.spaced), old.answer, new.answer)

    def thin(self, ids, rng, share):
        """-> a prompt without some of the words behind its first (the task's own)."""
        at = np.flatnonzero(self.begins[ids])
        if len(at) < 4:
            return ids
        words = [w for w in np.split(ids, at[1:])[1:] if rng.random() >= share]
        return np.concatenate([ids[:at[1]]] + words)

    def trim(self, ids):
        """-> ids without white space around them, where the vocabulary allows it."""
        for at, strip in ((0, bytes.lstrip), (-1, bytes.rstrip)):
            while len(ids) and not strip(self.bytes[ids[at]]):
                ids = ids[1:] if at == 0 else ids[:-1]
            if len(ids):
                ids = ids.copy()
                ids[at] = self.ids.get(strip(self.bytes[ids[at]]), ids[at])
        return ids


class Tasks:
    """Builds sequences of L tokens out of groups: a document and the branches (prompts with answers) that follow it.
    A branch sees its document and itself only, at the positions right behind the document, as in use."""
    EVERY = 100  # one QA passage in so many is held out

    def __init__(self, data, L, seed, long=0.5, held=False):
        self.data, self.L, self.rng, self.long, self.held = data, L, random.Random(seed), long, held
        while not self.shards():
            time.sleep(0.5)
        self.none, self.newline = np.load(f"{data}/none.npy"), np.load(f"{data}/newline.npy")
        self.words = Words(f"{data}/tokenizer.json")
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
            asked = lambda s, i: max(0.3, min(8, sum(1 for b in s.branches(i) if s.kind[b] == QA))) * float(s.weight[i])
            items = every(self.qa, lambda s, i: self.mine(i))
            self.passages = Chooser(items, [asked(s, i) for s, i in items])
            items = [(s, i) for s, i in items if 25 <= s.length[i] <= 1000]
            self.short = Chooser(items, [asked(s, i) ** 0.7 for s, i in items])
            items = [(s, i) for s, i in items if s.length[i] > 90 and (s.place[s.branch_of[i]:s.branch_of[i + 1]] >= 0).any()]
            self.windows = Chooser(items, [asked(s, i) for s, i in items])
            self.like = collections.defaultdict(list)  # by shape; none of shape 0
            for s in self.qa:
                for b in np.flatnonzero(s.shape):
                    self.like[int(s.shape[b])].append((s, int(b)))
        # documents with summaries, the shortest first, so that the longest fifth can be asked for
        items = sorted(every(self.pairs, lambda s, i: s.length[i] > 150), key=lambda x: x[0].length[x[1]])
        self.summed = Chooser(items, [float(s.weight[i]) for s, i in items]) if items else None
        items = every(self.pairs + self.texts, lambda s, i: 150 < s.length[i] <= 4000 and s.branch_of[i + 1] > s.branch_of[i])
        self.pages = Chooser(items, [1.0] * len(items)) if items else None
        items = every(self.pairs + self.texts + self.qa, lambda s, i: s.length[i] > 400 and (s.place[s.branch_of[i]:s.branch_of[i + 1]] >= 0).sum() > 2
                      and (s not in self.qa or self.mine(i)))
        self.cut = Chooser(items, [float(min(s.length[i], 4000)) for s, i in items]) if items else None
        items = every(self.texts, lambda s, i: s.length[i] > 400)
        self.plain = Chooser(items, [float(s.length[i]) for s, i in items]) if items else None

    def mine(self, i):
        """Whether the i-th QA passage is of the part that this object draws from."""
        return (i % self.EVERY == 7) == self.held

    def slice(self, n):
        s, i = (self.plain or self.passages).draw(self.rng)
        a = self.rng.randrange(max(1, int(s.length[i]) - n))
        return s.tokens(i)[a:a + n]

    def swap(self, doc, branches, share=0.9):
        """-> (doc, branches) with other answers of like kind in the places of some, so that only the document tells them; a branch whose answer
        is gone with another's is left out."""
        w, r = self.words, self.rng
        stands = lambda b, doc: len(b.answer) and (w.places(doc, b.spaced) or w.places(doc, b.answer))
        if not self.qa or self.held:
            return doc, branches
        changed = False
        for k in range(len(branches)):
            old = branches[k]
            if not self.like[old.shape] or r.random() >= share or not stands(old, doc):
                continue
            s, b = r.choice(self.like[old.shape])
            new = s.read(b)
            if not w.holds(doc, new.answer):
                doc, changed = w.replace(doc, old, new), True
                # every other branch speaks of it by its new name
                for j, x in enumerate(branches):
                    spaced = w.replace(x.spaced, old, new) if len(x.spaced) else x.spaced
                    branches[j] = x._replace(prompt=w.replace(x.prompt, old, new), answer=w.replace(x.answer, old, new), spaced=spaced)
        return doc, [b for b in branches if not changed or b.kind == NONE or stands(b, doc)]

    def absent(self, near, inside, doc, close=0.4):
        """-> a question of a passage that is not in the document (`inside`: those that are), or None. near: passages like those in it, of which one is
        taken with probability `close`."""
        for _ in range(4):
            s, i = self.rng.choice(near) if near and self.rng.random() < close else self.short.draw(self.rng)
            if (id(s), i) in inside:
                continue
            ask = [b for b in s.branches(i) if s.kind[b] == QA]
            passage = np.unique(s.tokens(i))
            if ask and np.isin(passage, doc).mean() < 0.7:  # else it may be the same passage, cut in another way
                b = s.read(self.rng.choice(ask))
                if not self.words.holds(doc, b.answer):
                    return b._replace(kind=NONE, answer=self.none)
        return None

    def alike(self, s, i):
        return [(s, int(j)) for j in s.alike[i] if j >= 0 and self.mine(int(j))]

    def draw(self, s, i, n_ask, n_look):
        """-> some of the passage's questions and look-ups."""
        r = self.rng
        ask = [b for b in s.branches(i) if s.kind[b] in (QA, NONE)]
        look = [b for b in s.branches(i) if s.kind[b] in LOOK_UPS]
        return [s.read(b) for b in r.sample(ask, min(len(ask), n_ask)) + r.sample(look, min(len(look), n_look))]

    def alone(self, room):
        """A passage by itself, with its questions."""
        r = self.rng
        s, i = self.passages.draw(r)
        if s.length[i] > room - 400:
            s, i = self.short.draw(r)
        doc, br = self.swap(s.tokens(i), self.draw(s, i, 8, 0 if self.held else 5))
        if r.random() < 0.06 * (len(br) + 1) and not self.held:
            br.append(self.absent(self.alike(s, i), {(id(s), i)}, doc))
        return doc, br

    def hidden(self, size, pages=False, kin=0.25, absent=0.06):
        """Passages one after the other, and questions about some of them; pages: documentation and prose, with look-ups, instead. kin: how many of
        the passages are like one before them. absent: so many questions, for each that is answered, are about none of them."""
        r = self.rng
        parts, inside, near, n = [], set(), [], 0
        source = self.pages if pages else self.short
        other = 0.0 if self.held else r.choice((0.0, 0.0, 0.0, 0.1, 0.3))
        for _ in range(2000):
            if n >= size - 40:
                break
            if r.random() < other:
                f = self.slice(min(size - n, r.randint(80, 500)))
                parts.append((None, 0, f)); n += len(f) + 1
                continue
            # what is like a passage that is there makes the search harder
            s, i = r.choice(near) if near and not pages and r.random() < kin else source.draw(r)
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
        most = max(6, min(100, n // 120))
        few = max(1, min(6, 2 * most // max(1, len(parts))))
        br, docs = [], [d for _, _, d in parts]
        for k in r.sample(range(len(parts)), len(parts)):
            s, i, d = parts[k]
            if len(br) >= most:
                break
            if s is None:
                continue
            human = not pages and r.random() < 0.65
            look = few if pages else 1 if not human or r.random() < 0.4 else 0
            docs[k], more = self.swap(d, self.draw(s, i, few if human else 0, 0 if self.held else look), 0.75)
            br += more
        doc = np.concatenate([x for d in docs for x in (self.newline, d)][1:]) if docs else self.slice(size)
        if self.qa and not self.held:
            near = [x for x in near if (id(x[0]), x[1]) not in inside]
            for _ in range(sum(r.random() < absent for _ in range(len(br) + 1))):
                br.append(self.absent(near, inside, doc, max(0.4, kin)))
        return doc, br

    def spans(self, ids, around, size):
        """-> [[from, to], …], apart: parts of ids that hold most of the places `around`, from the end of a sentence to the end of another."""
        r, spans, apart = self.rng, [], []
        cuts = np.flatnonzero(self.words.stops[ids]) + 1
        part = size // len(around)
        for t in around:
            t = t if r.random() < 0.8 else r.randrange(len(ids))
            first = t - r.randrange(max(1, part))
            a = cuts[:np.searchsorted(cuts, first, "right")][-1:].tolist() or [0]
            b = cuts[np.searchsorted(cuts, max(t + 12, first + part)):][:1].tolist() or [len(ids)]
            spans.append([a[0], min(b[0], a[0] + 2 * size)])
        for a, b in sorted(spans):
            if apart and a <= apart[-1][1]:
                apart[-1][1] = max(b, apart[-1][1])
            else:
                apart.append([a, b])
        return apart

    def excerpts(self, size, source):
        """Parts of one document, as a search for passages gives them, one after the other: questions about what is in them, and about what is not."""
        r, w = self.rng, self.words
        s, i = source.draw(r)
        ids = s.tokens(i)
        at = np.cumsum(w.size[ids])  # where each token ends, in bytes
        placed = [(int(np.searchsorted(at, s.place[b], "right")), b) for b in s.branches(i) if s.place[b] >= 0]
        some = r.sample(placed, min(len(placed), r.randint(1, min(6, max(1, size // 100)))))
        spans = self.spans(ids, [t for t, _ in some], size)
        if r.random() < 0.5:
            r.shuffle(spans)
        doc = np.concatenate([x for a, b in spans for x in (self.newline, w.trim(ids[a:b]))][1:])
        within = [b for t, b in placed if any(x <= t < y for x, y in spans)]
        beyond = [s.read(b) for t, b in placed if s.kind[b] != FILL and not any(x - 30 <= t < y + 30 for x, y in spans)]
        asked = [b for b in map(s.read, r.sample(within, min(len(within), 12))) if w.holds(doc, b.answer)]
        absent = r.sample(beyond, min(len(beyond), sum(r.random() < 0.08 for _ in range(len(asked) + 1))))
        # together, so that these too speak of what is exchanged by its new name
        return self.swap(doc, asked + [b._replace(kind=NONE, answer=self.none, spaced=self.none[:0], shape=0) for b in absent if not w.holds(doc, b.answer)])

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
        bs = [b for b in bs if s.kind[b] not in LOOK_UPS and (s.kind[b] != KEY or r.random() < 0.2)]
        bs = r.sample(bs, min(len(bs), 6)) + r.sample(look, min(len(look), 2 + len(doc) // 600))
        weight = {SUMMARY: 3.0, TITLE: 2.0}
        return doc, [b._replace(weight=weight.get(b.kind, 1.0)) for b in map(s.read, bs)]

    def size(self, a, b):
        return int(math.exp(self.rng.uniform(math.log(a), math.log(max(a, b)))))

    def group(self, room, long):
        """-> (doc ids, [Branch])."""
        x = self.rng.random()
        if self.held:
            return self.hidden(min(8000, room - 1500)) if long else self.alone(room)
        if long:
            x = x if self.summed else 0.0
            if x < 0.46 and self.qa:
                return self.hidden(self.size(5000, room - 1300))
            if x < 0.64 and self.pages:
                return self.hidden(self.size(5000, room - 1300), True)
            if x < 0.93 or not self.plain:
                return self.page(room, True)
            return self.slice(self.size(4000, room)), []
        x = x if self.summed else x * 0.5
        if self.qa and (x < 0.22 or room < 1800):
            return self.alone(room)
        if self.qa and x < 0.36:
            return self.hidden(self.size(300, min(3000, room - 800)))
        if self.qa and x < 0.48:
            return self.hidden(self.size(200, 1500), kin=0.9, absent=0.09)
        if self.qa and x < 0.58:
            return self.excerpts(self.size(50, 300), self.windows)
        if x < 0.66:
            return self.excerpts(self.size(200, 1500), self.cut)
        if x < 0.95:
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
            # the passages of questions have been read so often that their text teaches little but itself
            if r.random() < 0.35 or not any(x.kind == QA for x in br):
                tgt[n:e - 1] = d[1:]
            n = e
            for k, x in enumerate(br, 1):
                p = self.words.thin(x.prompt, r, 0.15) if x.kind in (QA, NONE) and not self.held and r.random() < 0.3 else x.prompt
                b = np.concatenate([p, [ASSISTANT], x.answer[:400], [EOS]])
                if n + len(b) > L:
                    break
                e = n + len(b)
                ids[n:e], pos[n:e], seg[n:e], grp[n:e] = b, len(d) + np.arange(len(b)), k, g
                tgt[n + len(p):e - 1] = b[len(p) + 1:]
                # a long answer counts more than a short one, but not by every token
                share[n + len(p):e - 1] = x.weight * (len(b) - len(p) - 1) ** -0.5
                n = e
            g += 1
        return ids, tgt, pos, seg, grp, share


class Loader:
    """Worker processes that make batches ahead of the training loop. Shards that appear while it runs are taken in."""

    def __init__(self, data, L, B, seed, workers, long):
        import multiprocessing as mp
        ctx = mp.get_context("fork")
        self.q, self.held_q, self.held = ctx.Queue(maxsize=workers * 2), ctx.Queue(), None
        batch = lambda t: [np.stack(x) for x in zip(*[t.sequence() for _ in range(B)])]

        def work(i):
            if i == 0:  # passages by themselves, and hidden among others
                self.held_q.put([batch(Tasks(data, L, seed, long, held=True)) for long in (0.0, 1.0)])
            t = Tasks(data, L, seed * 1000 + i, long)
            for n in itertools.count(1):
                self.q.put(batch(t))
                if n % 16 == 0:
                    t.refresh()
        self.procs = [ctx.Process(target=work, args=(i,), daemon=True) for i in range(workers)]
        for p in self.procs:
            p.start()

    @staticmethod
    def move(batch, device):
        import torch
        return [x if x.dtype == torch.float32 else x.long() for x in (torch.from_numpy(x).to(device, non_blocking=True) for x in batch)]

    def next(self, device):
        return self.move(self.q.get(), device)

    def held_out(self, device):
        """-> two batches of passages that are not learned from: each by itself, and hidden among others."""
        self.held = self.held or self.held_q.get()
        return [self.move(b, device) for b in self.held]
