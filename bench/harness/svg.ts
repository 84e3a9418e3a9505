// What the drawings share: their width, their colours, and text that is safe inside of markup.

export const WIDTH = 900;
export const OURS = '#1f6feb';
export const THEIRS = '#9aa4b2';

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
