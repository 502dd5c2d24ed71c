import json, re, zlib
seed = 1
def rnd(n):
    global seed
    seed = seed * 48271 % 2147483647
    return seed % n
class Node:
    def __init__(self, depth): self.kids = [Node(depth - 1) for _ in range(2)] if depth else []; self.v = rnd(1000)
    def total(self): return self.v + sum(k.total() for k in self.kids)
while True:
    rows = [{"id": rnd(10**6), "name": "n%d" % rnd(10**5), "v": rnd(10**6) / 7} for _ in range(300)]
    text = json.dumps(rows); back = json.loads(text); back.sort(key=lambda r: r["name"])
    d = {}
    for r in back: d[r["name"]] = d.get(r["name"], 0) + r["v"]
    re.sub(r"[^a-z0-9]+", " ", text).split(); zlib.compress(text.encode(), 1); Node(8).total()
