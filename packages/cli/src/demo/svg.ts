/**
 * The demo's bars as an SVG image that stands for itself: no script, no font file, readable on light and dark
 * pages. Pure.
 */
import type { Plot } from './report.js';

const WIDTH = 720;
const LEFT = 190;
const RIGHT = 150;
const ROW_HEIGHT = 30;
const BAR_HEIGHT = 18;
const PLOT_GAP = 28;
const TOP = 44;

/** The document. `title` says what was delivered to whom. */
export function renderSvg(title: string, plots: readonly Plot[]): string {
  let y = TOP;
  const parts: string[] = [];
  for (const plot of plots) {
    parts.push(plotAt(plot, y));
    y += ROW_HEIGHT * (plot.rows.length + 1) + PLOT_GAP;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    '<style>text{font:13px system-ui,sans-serif;fill:#57606a}.h{font-weight:600}.t{font-size:15px;font-weight:600}.o{fill:#bf8700}.s{fill:#1a7f37}' +
      '@media(prefers-color-scheme:dark){text{fill:#adbac7}.o{fill:#c69026}.s{fill:#57ab5a}}</style>',
    `<text class="t" x="12" y="24">${escapeXml(title)}</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function plotAt({ title, rows }: Plot, top: number): string {
  const largest = Math.max(...rows.map(({ value }) => value), Number.MIN_VALUE);
  const lines = rows.map(({ way, title: name, value, label }, i) => {
    const y = top + ROW_HEIGHT * (i + 1);
    const length = Math.max(2, Math.round((value / largest) * (WIDTH - LEFT - RIGHT)));
    const baseline = y + BAR_HEIGHT - 5;
    return [
      `<text x="${LEFT - 10}" y="${baseline}" text-anchor="end">${escapeXml(name)}</text>`,
      `<rect class="${way === 'sealane' ? 's' : 'o'}" x="${LEFT}" y="${y}" width="${length}" height="${BAR_HEIGHT}" rx="2"/>`,
      `<text x="${LEFT + length + 8}" y="${baseline}">${escapeXml(label)}</text>`,
    ].join('\n');
  });
  return [`<text class="h" x="12" y="${top + 14}">${escapeXml(title)}</text>`, ...lines].join('\n');
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
