"""The look of the HTML report: light and dark, narrow and wide, and on paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2128; --dim: #57606a; --paper: #fff; --panel: #f6f8fa; --line: #d0d7de;
  --good: #116329; --good-bg: #dafbe1; --bad: #a40e26; --bad-bg: #ffebe9; --open: #7d4e00; --open-bg: #fff8c5;
  --plain: #424a53; --plain-bg: #eaeef2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9aa4af; --paper: #0d1117; --panel: #161b22;
  --line: #3d444d; --good: #7ee787; --good-bg: #12331c; --bad: #ffa198; --bad-bg: #4b1113; --open: #f2cc60;
  --open-bg: #3b2e00; --plain: #c9d1d9; --plain-bg: #262c36; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1, h2, h3, h4 { line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h1 { font-size: 1.1rem; font-weight: 600; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; }
h3 span { font-weight: 400; }
h4 { font-size: .95rem; margin-bottom: .25rem; }
p, ul { margin: .4rem 0; }
ul { padding-left: 1.25rem; }
li { overflow-wrap: anywhere; }
.dim { color: var(--dim); }
.small { font-size: .875rem; }
code { font: .875em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.banner { border-left: .5rem solid; border-radius: .4rem; margin: 1rem 0; padding: 1rem 1.25rem; overflow-wrap: anywhere; }
.banner strong { display: block; font-size: 1.75rem; line-height: 1.2; margin-bottom: .35rem; }
.banner p { color: var(--ink); }
.good { color: var(--good); background: var(--good-bg); border-color: var(--good); }
.bad { color: var(--bad); background: var(--bad-bg); border-color: var(--bad); }
.open { color: var(--open); background: var(--open-bg); border-color: var(--open); }
.plain { color: var(--plain); background: var(--plain-bg); border-color: var(--plain); }
.numbers { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); margin: .5rem 0 1rem; }
.number { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .75rem 1rem; }
@media (max-width: 30rem) { .number:last-child:nth-child(odd) { grid-column: 1 / -1; } }
.number b { display: block; font-size: 1.75rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; }
svg { display: block; width: 100%; max-width: 32rem; height: auto; }
figcaption { color: var(--dim); font-size: .875rem; max-width: 44rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .925rem; min-width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .75rem .35rem 0; text-align: left; vertical-align: top; }
thead th { color: var(--dim); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 500; }
td { font-variant-numeric: tabular-nums; }
article { border: 1px solid var(--line); border-radius: .4rem; margin: 0 0 1.25rem; padding: 1rem; }
article header { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; margin-bottom: .5rem; }
.tag { border-radius: .25rem; font-size: .875rem; font-weight: 600; padding: .05rem .45rem; white-space: nowrap; }
.sides { display: grid; gap: 1rem; margin: .75rem 0; }
@media (min-width: 48rem) { .sides { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } }
.side { background: var(--panel); border-radius: .4rem; padding: .75rem; min-width: 0; }
.said { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; }
blockquote { border-left: 3px solid var(--line); margin: .25rem 0 .5rem; padding: 0 0 0 .75rem; }
mark, mark.good, mark.bad, mark.open, mark.plain { border-bottom: 2px solid; border-radius: .15rem; color: inherit;
  padding: 0 .15rem; }
mark b { font-weight: 700; }
mark.good { background: var(--good-bg); border-color: var(--good); }
mark.bad { background: var(--bad-bg); border-color: var(--bad); }
mark.open { background: var(--open-bg); border-color: var(--open); border-bottom-style: dashed; }
mark.plain { background: none; border-color: var(--line); border-bottom-style: dotted; }
mark.evidence { background: none; border-bottom: 2px solid currentColor; font-weight: 600; }
.claims { list-style: none; margin: .6rem 0 0; padding: 0; }
.claims > li { border-top: 1px solid var(--line); padding: .4rem 0; }
details { margin: .4rem 0; }
summary { color: var(--dim); cursor: pointer; font-size: .925rem; }
.axis { stroke: var(--dim); stroke-width: 1; }
.margin { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 4 3; }
.beyond { fill: var(--bad-bg); }
.bar { stroke: var(--ink); stroke-width: 3; }
.dot { fill: var(--ink); }
svg text { fill: var(--ink); font: 11px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
svg text.low { fill: var(--dim); }
@media print { :root { color-scheme: light; --ink: #000; --dim: #444; --paper: #fff; --panel: #fff; --line: #bbb;
  --good: #116329; --good-bg: #dafbe1; --bad: #a40e26; --bad-bg: #ffebe9; --open: #7d4e00; --open-bg: #fff8c5;
  --plain: #424a53; --plain-bg: #eaeef2; }
  body { font-size: 10pt; max-width: none; padding: 0; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  h2, header, summary { break-after: avoid; } .banner, figure, tr, .number, .claims > li { break-inside: avoid; }
  .wide { overflow: visible; } details::details-content { content-visibility: visible; block-size: auto; } }
"""
