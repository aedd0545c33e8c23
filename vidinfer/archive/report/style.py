"""How the report looks: one column, light or dark as the system, wide tables scroll by themselves."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark;--ink:#1f2328;--dim:#59636e;--line:#d5dae0;--back:#fff;--card:#f6f8fa;--accent:#0a66c2;
--complete:#2da44e;--damaged:#d4a72c;--quarantined:#bc4c00;--failed:#cf222e;--interrupted:#8c959f}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--line:#30363d;--back:#0d1117;--card:#161b22;
--accent:#58a6ff;--complete:#3fb950;--damaged:#d29922;--quarantined:#f0883e;--failed:#f85149;--interrupted:#6e7681}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:var(--ink);background:var(--back);
max-width:66rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
h1{font-size:1.55rem;line-height:1.25;margin:0 0 .15rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.6rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.6rem 0 .4rem}
p{margin:.4rem 0}.dim,.note{color:var(--dim)}.note{font-size:.9rem}
a{color:var(--accent)}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.7rem 0 1.1rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.7rem;margin:1rem 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
.tile b{display:block;font-size:1.35rem;font-weight:600;line-height:1.3;font-variant-numeric:tabular-nums}
.tile span{color:var(--dim);font-size:.88rem}
.bar{display:flex;height:.9rem;border-radius:.45rem;overflow:hidden;background:var(--line);margin:.8rem 0}
.bar i{display:block;min-width:3px}
.key{display:inline-block;width:.7rem;height:.7rem;border-radius:.2rem;margin-right:.45rem}
.complete{background:var(--complete)}.damaged{background:var(--damaged)}.quarantined{background:var(--quarantined)}
.failed{background:var(--failed)}.interrupted{background:var(--interrupted)}
.wide{overflow-x:auto;margin:.5rem 0}
table{border-collapse:collapse;width:100%;font-size:.93rem}
th,td{text-align:left;padding:.32rem .9rem .32rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:500;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.name{overflow-wrap:anywhere;min-width:9rem}
td.why{overflow-wrap:anywhere;min-width:13rem}
td.meter{min-width:6rem;width:32%;padding-right:0}
.meter i{display:block;height:.7rem;margin-top:.4rem;border-radius:.2rem;background:var(--accent);min-width:1px}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));gap:.9rem}
figure{margin:0}
.chart{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .7rem .4rem}
.chart figcaption{display:flex;justify-content:space-between;gap:.6rem;font-size:.92rem}
.chart figcaption b{overflow-wrap:anywhere}
.chart svg{display:block;width:100%;height:auto;margin-top:.3rem}
.chart text{font-size:11px;fill:var(--dim)}
.stills{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr));gap:.9rem}
.still{border:1px solid var(--line);border-radius:.5rem;overflow:hidden;background:var(--card)}
.still svg{display:block;width:100%;height:auto;background:#000}
.still .none{aspect-ratio:16/9;display:grid;place-items:center;color:var(--dim);background:var(--line);
padding:1rem;text-align:center}
.still figcaption{padding:.45rem .6rem .55rem;font-size:.88rem;overflow-wrap:anywhere}
.still figcaption b{display:flex;justify-content:space-between;gap:.5rem;font-size:.95rem}
figcaption .dim{white-space:nowrap}
details{margin:.3rem 0}summary{cursor:pointer;color:var(--accent)}
pre{background:var(--card);border:1px solid var(--line);border-radius:.4rem;padding:.6rem;white-space:pre-wrap;
overflow-wrap:anywhere;font-size:.82rem;max-height:24rem;overflow:auto;margin:.3rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.2rem;margin:.6rem 0}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
@media (max-width:34rem){body{padding:1rem .8rem 3rem}dl{grid-template-columns:1fr}dd{margin-bottom:.35rem}
td,th{padding-right:.6rem}}
@media print{nav{display:none}.chart,.still,tr{break-inside:avoid}}
"""
