// text and data work, as a server does it: parsing, regular expressions, sorting, maps, compression
const zlib = require('zlib');
let seed = 1; const rnd = n => (seed = (seed * 48271) % 2147483647) % n;
for (;;) {
  const rows = []; for (let i = 0; i < 400; i++) rows.push({ id: rnd(1e6), name: 'n' + rnd(1e5), tags: ['a' + rnd(9), 'b' + rnd(9)], v: rnd(1e6) / 7 });
  const text = JSON.stringify(rows); const back = JSON.parse(text);
  back.sort((a, b) => a.name.localeCompare(b.name)); const m = new Map(); for (const r of back) m.set(r.name, (m.get(r.name) || 0) + r.v);
  const words = text.replace(/[^a-z0-9]+/g, ' ').split(' '); const s = new Set(words); zlib.deflateSync(text, { level: 1 }); Buffer.from(text).toString('base64');
}
