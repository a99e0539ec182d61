/** Colours of terminals in log lines: SGR sequences become marked pieces of text, every other control sequence vanishes. No markup. */

/** A piece of text and how a terminal would show it. Colours: 0 to 15 are the theme's own, others are `#rrggbb`. */
export interface Piece {
  readonly text: string;
  readonly colour?: number | string;
  readonly ground?: number | string;
  readonly bold?: boolean;
  readonly dim?: boolean;
  readonly italic?: boolean;
  readonly underline?: boolean;
  readonly struck?: boolean;
}

type Look = { -readonly [K in keyof Omit<Piece, 'text'>]?: Piece[K] } & { inverse?: boolean };

/** CSI … (even if its end is missing), OSC … (ended by BEL or ST), other escapes, and control characters but tab and line feed. */
const sequence =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /\u001b\[([0-?]*)[ -/]*([@-~])?|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]?|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Most pieces of one line; the rest of the text goes into the last one. A hostile line must not become 30 000 elements. */
const mostPieces = 256;

/** The text without any control sequence. */
export function withoutAnsi(text: string): string {
  return hasControls(text) ? text.replace(sequence, '') : text;
}

// eslint-disable-next-line no-control-regex -- as above
const hasControls = (text: string) => /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text);

/** The pieces of a text, in order; their texts together are `withoutAnsi(text)`. */
export function pieces(text: string): Piece[] {
  if (!hasControls(text)) return [{ text }];
  const found: Piece[] = [];
  const look: Look = {};
  let from = 0;
  const add = (end: number) => {
    if (end === from) return;
    const last = found.at(-1);
    const part = text.slice(from, end);
    if (last && found.length >= mostPieces) found[found.length - 1] = { ...last, text: last.text + part };
    else found.push({ text: part, ...shown(look) });
  };
  for (const match of text.matchAll(sequence)) {
    add(match.index);
    from = match.index + match[0].length;
    if (match[2] === 'm') apply(look, match[1] ?? '');
  }
  add(text.length);
  return found.length > 0 ? found : [{ text: '' }];
}

function shown({ inverse, colour, ground, ...rest }: Look): Omit<Piece, 'text'> {
  if (!inverse) return { ...rest, ...(colour !== undefined && { colour }), ...(ground !== undefined && { ground }) };
  // Exchanged: where a colour is not set, the theme's own black and white stand in.
  return { ...rest, colour: ground ?? 0, ground: colour ?? 7 };
}

function apply(look: Look, parameters: string): void {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0;
    if (code === 0) for (const key of Object.keys(look) as (keyof Look)[]) delete look[key];
    else if (code === 1) look.bold = true;
    else if (code === 2) look.dim = true;
    else if (code === 3) look.italic = true;
    else if (code === 4) look.underline = true;
    else if (code === 7) look.inverse = true;
    else if (code === 9) look.struck = true;
    else if (code === 22) {
      delete look.bold;
      delete look.dim;
    } else if (code === 23) delete look.italic;
    else if (code === 24) delete look.underline;
    else if (code === 27) delete look.inverse;
    else if (code === 29) delete look.struck;
    else if (code >= 30 && code <= 37) look.colour = code - 30;
    else if (code >= 40 && code <= 47) look.ground = code - 40;
    else if (code >= 90 && code <= 97) look.colour = code - 82;
    else if (code >= 100 && code <= 107) look.ground = code - 92;
    else if (code === 39) delete look.colour;
    else if (code === 49) delete look.ground;
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(codes.slice(i + 1));
      if (colour !== undefined) look[code === 38 ? 'colour' : 'ground'] = colour;
      i += used;
    }
  }
}

/** The colour that follows 38 or 48, and how many codes it took: `5;N` of the palette of 256, `2;R;G;B`. */
function extended([kind, ...rest]: number[]): [number | string | undefined, number] {
  const byte = (value = NaN) => (Number.isInteger(value) && value >= 0 && value <= 255 ? value : undefined);
  if (kind === 5) {
    const index = byte(rest[0]);
    return [index === undefined ? undefined : palette(index), 2];
  }
  if (kind !== 2) return [undefined, 1];
  const [red, green, blue] = [byte(rest[0]), byte(rest[1]), byte(rest[2])];
  const whole = red !== undefined && green !== undefined && blue !== undefined;
  return [whole ? hex(red, green, blue) : undefined, 4];
}

const hex = (...parts: number[]) => `#${parts.map((part) => part.toString(16).padStart(2, '0')).join('')}`;

/** The palette of 256: 16 of the theme, a cube of 6 × 6 × 6, 24 greys. */
function palette(index: number): number | string {
  if (index < 16) return index;
  if (index >= 232) return hex(...Array<number>(3).fill(8 + (index - 232) * 10));
  const step = (place: number) => {
    const value = Math.floor((index - 16) / place) % 6;
    return value === 0 ? 0 : 55 + value * 40;
  };
  return hex(step(36), step(6), step(1));
}
