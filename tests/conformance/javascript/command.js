// The language of the commands, without what they do.

/** A command makes no sense. */
export class Bad extends Error {}

/** The rest of a command. */
export class Words {
  #words;

  constructor(words) {
    this.#words = words;
  }

  /** The words of a line, as bytes, with quotes and escapes resolved. */
  static split(line) {
    const bytes = new TextEncoder().encode(line);
    const words = [];
    let word; // undefined between words
    let quoted = false;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        quoted = !quoted;
        word ??= [];
      } else if (byte === BACKSLASH && quoted) {
        const [value, length] = escape(bytes, at + 1);
        (word ??= []).push(value);
        at += length;
      } else if (byte === SPACE && !quoted) {
        if (word !== undefined) words.push(Uint8Array.from(word));
        word = undefined;
      } else {
        (word ??= []).push(byte);
      }
    }
    if (quoted) throw new Bad('a quote is not closed');
    if (word !== undefined) words.push(Uint8Array.from(word));
    return new Words(words);
  }

  text(what) {
    return this.optionalText() ?? missing(what);
  }

  optionalText() {
    const word = this.#words.shift();
    return word === undefined ? undefined : utf8(word);
  }

  number(what) {
    return number(this.text(what));
  }

  /** In nanoseconds, of a number of milliseconds or `-`, which is for as long as it takes. */
  time() {
    const time = this.text('a time');
    return time === '-' ? undefined : number(time) * 1_000_000n;
  }

  oneOf(what, names) {
    const text = this.text(what);
    if (!names.includes(text)) throw new Bad(`${text} is none of ${names.join(', ')}`);
    return text;
  }

  /** `OFFSET+LENGTH,OFFSET+LENGTH..`, or `-`. */
  ranges() {
    const text = this.text('a list of ranges');
    if (text === '-') return [];
    return text.split(',').map((range) => {
      const plus = range.indexOf('+');
      if (plus < 0) throw new Bad(`${range} is not OFFSET+LENGTH`);
      return { offset: number(range.slice(0, plus)), length: number(range.slice(plus + 1)) };
    });
  }

  /** `hex:..`, `fill:BYTE:LENGTH` or `text:..`. */
  data() {
    const word = this.#words.shift() ?? missing('data');
    if (latin1(word.subarray(0, 5)) === 'text:') return word.slice(5);
    const text = utf8(word);
    const digits = /^hex:((?:[0-9a-f]{2})*)$/i.exec(text)?.[1];
    if (digits !== undefined) {
      return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    }
    const [kind, byte, length, ...rest] = text.split(':');
    if (kind !== 'fill' || length === undefined || rest.length > 0 || number(byte) > 255n) {
      throw new Bad(`${text} is not hex:.., fill:BYTE:LENGTH or text:..`);
    }
    return new Uint8Array(Number(number(length))).fill(Number(number(byte)));
  }

  /** That nothing is left over. */
  end() {
    if (this.#words.length > 0) throw new Bad(`"${latin1(this.#words[0])}" is too much`);
  }
}

const [SPACE, QUOTE, BACKSLASH] = [0x20, 0x22, 0x5c];

const ESCAPES = new Map([['0', 0], ['n', 10], ['"', QUOTE], ['\\', BACKSLASH]]);

/** The byte that an escape stands for, and how many bytes it is written in. */
function escape(bytes, at) {
  const letter = String.fromCharCode(bytes[at] ?? 0);
  if (ESCAPES.has(letter)) return [ESCAPES.get(letter), 1];
  const digits = latin1(bytes.subarray(at + 1, at + 3));
  if (letter !== 'x' || !/^[0-9a-f]{2}$/i.test(digits)) {
    throw new Bad('an escape is none of \\0 \\n \\" \\\\ \\xNN');
  }
  return [parseInt(digits, 16), 3];
}

/** A number of 64 bits, decimal or hexadecimal. */
export function number(text) {
  const value = /^([0-9]+|0x[0-9a-f]+)$/i.test(text) ? BigInt(text) : -1n;
  if (value !== BigInt.asUintN(64, value)) throw new Bad(`${text} is not a number of 64 bits`);
  return value;
}

/** Bytes in an answer: themselves if they are few. */
export function describe(bytes) {
  if (bytes.length > 64) return `len=${bytes.length} fnv=${fnv(bytes)}`;
  return `hex:${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** FNV-1a of 64 bits, without a BigInt for each byte: in two halves. */
function fnv(bytes) {
  let [high, low] = [0xcbf29ce4, 0x84222325];
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    // Times 0x100_0000_01b3: 2 ** 40 and 0x1b3.
    const product = low * 0x1b3;
    high = (high * 0x1b3 + Math.floor(product / 2 ** 32) + low * 0x100) % 2 ** 32;
    low = product % 2 ** 32;
  }
  return [high, low].map((half) => half.toString(16).padStart(8, '0')).join('');
}

function latin1(bytes) {
  return String.fromCharCode(...bytes);
}

function utf8(word) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(word);
  } catch {
    throw new Bad(`"${latin1(word)}" is not UTF-8`);
  }
}

function missing(what) {
  throw new Bad(`${what} is missing`);
}
