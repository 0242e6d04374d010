// A text as QR code, for what has a camera and no keyboard.
//
//   await qr(url, t('room.push.qr'))      a picture, dark on light in every theme

import { svg } from '../dom.js';

export async function qr(text, label) {
  const { default: qrcode } = await import('../vendor/qrcode-generator/qrcode.mjs');
  const made = qrcode(0, 'L');
  made.addData(text);
  made.make();
  const size = made.getModuleCount();
  const quiet = 4; // modules around it, as readers want
  let path = '';
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      if (made.isDark(row, column)) path += `M${column + quiet},${row + quiet}h1v1h-1z`;
    }
  }
  const side = size + 2 * quiet;
  return svg('svg', { class: 'qr', viewBox: `0 0 ${side} ${side}`, role: 'img', 'aria-label': label, 'shape-rendering': 'crispEdges' },
    svg('rect', { width: side, height: side, fill: '#fff' }), svg('path', { d: path, fill: '#000' }));
}
