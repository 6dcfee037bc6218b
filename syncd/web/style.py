"""The style sheet of the status page and its few lines of script.

They are served as separate files, so that the content security policy can forbid inline styles and scripts.
"""

STYLE = """\
:root {
  --ground: #f5f6f8; --card: #ffffff; --ink: #1b2330; --quiet: #5d6878; --line: #e2e6ec; --accent: #1f6feb;
  --good: #1a7f4b; --good-soft: #dff5e8; --new: #1f5fbf; --new-soft: #e1ecfd; --bad: #b42318; --bad-soft: #fde7e4;
  --warm: #96610f; --warm-soft: #fdf0d8; --track: #e6eaf0; --bar: #35a36b; --idle: #b9c3d0;
  --shadow: 0 1px 2px rgb(16 24 40 / 6%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10141b; --card: #181e27; --ink: #e7ecf3; --quiet: #98a4b5; --line: #2a323e; --accent: #6ea8ff;
    --good: #5fd39a; --good-soft: #12301f; --new: #8db8ff; --new-soft: #172a47; --bad: #ff8d80; --bad-soft: #3d1a17;
    --warm: #e0aa4e; --warm-soft: #3a2b10; --track: #2a323e; --bar: #43b97d; --idle: #4a5666; --shadow: none;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 0 clamp(14px, 3vw, 32px) 32px; max-width: 1320px; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
}
header { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 8px 24px;
  padding: 22px 0 6px; }
h1 { margin: 0; font-size: 24px; letter-spacing: -.02em; font-weight: 700; }
.mark { color: var(--accent); }
h2 { margin: 26px 0 12px; font-size: 13px; font-weight: 600; letter-spacing: .06em; text-transform: uppercase;
  color: var(--quiet); }
h3 { margin: 0; font-size: 17px; font-weight: 650; overflow-wrap: anywhere; }
h4 { margin: 14px 0 6px; font-size: 13px; font-weight: 600; color: var(--quiet); }
p { margin: 0; }
code { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
small { font-size: 13px; color: var(--quiet); }
[hidden] { display: none !important; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: 3px; }
a:hover { text-decoration-color: currentcolor; }
.brand { display: flex; align-items: baseline; gap: 18px; }
.languages { display: flex; gap: 12px; font-size: 13px; color: var(--quiet); }
.languages a[aria-current] { color: var(--ink); font-weight: 600; text-decoration: none; }
.filter { display: flex; flex-wrap: wrap; align-items: center; gap: 10px; margin-top: 16px; }
.filter input, .filter select { min-height: 40px; padding: 6px 12px; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); color: var(--ink); font: inherit; }
.filter input { flex: 1 1 240px; min-width: 0; }
.moves { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 12px; margin-top: 10px; }
.moves progress { flex: 1 1 120px; min-width: 0; height: 8px; accent-color: var(--accent); }
.quiet { color: var(--quiet); }
.overall { display: flex; align-items: center; gap: 9px; padding: 6px 14px 6px 12px; border-radius: 99px;
  font-weight: 600; }
.overall.good { background: var(--good-soft); color: var(--good); }
.overall.warm { background: var(--warm-soft); color: var(--warm); }
.overall.waiting { background: var(--new-soft); color: var(--new); }
.overall.bad { background: var(--bad-soft); color: var(--bad); }
.dot { width: 9px; height: 9px; border-radius: 50%; background: currentcolor; }
.banner, .error { padding: 10px 14px; border-radius: 8px; background: var(--bad-soft); color: var(--bad);
  overflow-wrap: anywhere; }
.banner { margin: 12px 0 0; }
.error { margin: 12px 0 0; font-size: 14px; }
.syncs, .portals { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(400px, 100%), 1fr)); }
.card { min-width: 0; padding: 18px 20px 16px; border: 1px solid var(--line); border-radius: 12px;
  background: var(--card);
  box-shadow: var(--shadow); }
.card.stale { border-color: var(--bad); }
.top { display: flex; align-items: center; justify-content: space-between; gap: 12px; }
.source { margin-top: 2px; font-size: 13.5px; overflow-wrap: anywhere; }
.pill { flex: none; padding: 2px 10px; border-radius: 99px; font-size: 13px; font-weight: 600; white-space: nowrap; }
.many tbody td b { padding: 2px 10px; border-radius: 99px; background: var(--good-soft); color: var(--good);
  font-size: 13px; font-weight: 600; }
.many tbody td b.new { background: var(--new-soft); color: var(--new); }
.many tbody td b.stale { background: var(--bad-soft); color: var(--bad); }
.pill.fresh { background: var(--good-soft); color: var(--good); }
.pill.new { background: var(--new-soft); color: var(--new); }
.pill.stale { background: var(--bad-soft); color: var(--bad); }
dl { margin: 0; }
dt { color: var(--quiet); font-size: 13px; }
dd { margin: 0; }
.counts { display: grid; grid-template-columns: repeat(5, 1fr); gap: 8px; margin-top: 14px; padding: 10px 0;
  border-block: 1px solid var(--line); }
.counts dd { font-size: 20px; font-weight: 650; line-height: 1.25; }
.counts dd.warn { color: var(--warm); }
.facts { display: grid; gap: 4px; margin-top: 12px; font-size: 14px; }
.facts div { display: grid; grid-template-columns: minmax(142px, 26%) 1fr; gap: 10px; }
.facts dd small { display: block; line-height: 1.35; }
svg { display: block; width: 100%; }
.history { height: 44px; margin-top: 14px; }
.ground, .track { fill: var(--track); }
.bar { fill: var(--bar); }
.bar.idle { fill: var(--idle); }
.bar.partial, .bar.stopped { fill: var(--warm); }
.bar.failed { fill: var(--bad); }
.gauge { height: 7px; margin: 3px 0 9px; border-radius: 4px; overflow: hidden; }
.calm { fill: var(--accent); }
.warm { fill: var(--warm); }
.hot { fill: var(--bad); }
.label { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 12px; }
.waiting { margin-top: 10px; color: var(--warm); font-size: 14px; }
.many { overflow-x: auto; margin-top: 16px; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
.portal th { padding-top: 16px; color: var(--quiet); }
tr { border-top: 1px solid var(--line); }
th, td { padding: 5px 16px 5px 0; text-align: left; font-weight: 400; white-space: nowrap; }
thead th { color: var(--quiet); font-size: 13px; }
tbody th { font-weight: 600; }
.many tr > :nth-child(n + 3):nth-child(-n + 6), .runs tr > :nth-child(n + 7) { text-align: right; }
.many.runs tr > :nth-child(4) { text-align: left; }
.many.changes tr > :nth-child(n) { white-space: normal; text-align: left; overflow-wrap: anywhere;
  vertical-align: top; }
.many.changes tr > :first-child { white-space: nowrap; }
.many.changes tr > :nth-child(n + 2) { min-width: 6.5em; }
.many.changes tr > :nth-child(2) { overflow-wrap: normal; }
.many.changes tbody td b { padding: 0; background: none; }
.back { margin-top: 16px; font-size: 14px; }
.alone { max-width: 860px; margin-top: 12px; }
details { margin-top: 12px; padding-top: 10px; border-top: 1px solid var(--line); }
summary { cursor: pointer; font-size: 14px; font-weight: 600; }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 4px; }
details > p { margin-top: 8px; font-size: 14px; }
ul { margin: 8px 0 0; padding: 0; list-style: none; max-height: 340px; overflow-y: auto; font-size: 14px; }
li { padding: 7px 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
li:first-child { border-top: 0; }
li small { display: block; }
.what { font-weight: 550; }
.op, .kind { font-size: 12.5px; font-weight: 650; }
.op.create, .op.adopt { color: var(--good); }
.op.update { color: var(--accent); }
.op.delete, .kind.rejected, .kind.incomplete { color: var(--bad); }
.kind.held, .kind.conflict { color: var(--warm); }
.kind.warning { color: var(--quiet); }
footer { display: flex; flex-wrap: wrap; gap: 2px 22px; margin-top: 28px; color: var(--quiet); font-size: 13px; }
@media (max-width: 520px) {
  .counts { grid-template-columns: repeat(3, 1fr); }
  .card { padding: 15px 16px 14px; }
}
"""

SCRIPT = """\
"use strict";
(() => {
  const find = document.getElementById("find"), kind = document.getElementById("kind");
  const text = (one) => one.tagName === "TR"
    ? one.cells[0].textContent + " " + one.parentElement.rows[0].textContent
    : one.querySelector("h3").textContent + " " + one.querySelector(".source").textContent;
  const narrow = () => {
    if (!find) return;
    const word = find.value.trim().toLowerCase();
    let found = 0;
    for (const one of document.querySelectorAll("article.sync, .many tbody tr:not(.portal)")) {
      const fits = !kind.value || one.classList.contains(kind.value);
      one.hidden = !fits || !text(one).toLowerCase().includes(word);
      found += one.hidden ? 0 : 1;
    }
    for (const one of document.querySelectorAll(".many tbody"))
      one.hidden = !one.querySelector("tr:not(.portal):not([hidden])");
    document.getElementById("none").hidden = found > 0;
  };
  const opened = (root) => [...root.querySelectorAll("details")].map((one) => {
    const card = one.closest("article").querySelector("h3").textContent;
    return [card + one.querySelector("summary").textContent.split(":")[0], one];
  });
  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) return;
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const before = new Map(opened(document).map(([name, one]) => [name, one.open]));
      for (const [name, one] of opened(next)) if (before.has(name)) one.open = before.get(name);
      document.title = next.title;
      for (const part of ["header", "main", "footer"])
        document.querySelector(part).replaceWith(document.adoptNode(next.querySelector(part)));
      narrow();
    } catch { /* the daemon restarts: the next round finds it */ }
  };
  const again = () => setTimeout(async () => {
    await refresh();
    again();
  }, 1000 * Number(document.querySelector("main").dataset.seconds));
  if (find) {
    document.querySelector(".filter").hidden = false;
    find.addEventListener("input", narrow);
    kind.addEventListener("change", narrow);
    narrow();
  }
  again();
  document.addEventListener("visibilitychange", refresh);
})();
"""
