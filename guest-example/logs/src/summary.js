// What is in a log: knows nothing of files.

const LEVELS = ['FATAL', 'ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE'];

const SYNONYMS = new Map([
  ['CRITICAL', 'FATAL'], ['CRIT', 'FATAL'], ['PANIC', 'FATAL'], ['EMERG', 'FATAL'],
  ['ERR', 'ERROR'], ['WARNING', 'WARN'], ['NOTICE', 'INFO'],
]);

const LEVEL = new RegExp(`\\b(${[...LEVELS, ...SYNONYMS.keys()].join('|')})\\b`, 'i');

/** `2026-11-24T09:00:00.123Z`, `2026-11-24 09:00:00,123 +0100`, or syslog's `Nov 24 09:00:00`. */
const TIME = new RegExp(
  '^\\W*(\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d:\\d\\d(?:[.,]\\d+)?(?:Z| ?[+-]\\d\\d:?\\d\\d)?'
  + '|[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d)\\W*',
);

/** What differs between two messages that say the same. */
const VARIES = /\b0x[0-9a-f]+\b|\b[0-9a-f]{8,}(?:-[0-9a-f]+)*\b|\d+(?:\.\d+)*/gi;

/** How many different messages are counted: more than that, and the rarest are forgotten. */
const MOST_MESSAGES = 50_000;

/** Counts lines as they come. */
export class Summary {
  lines = 0;
  untimed = 0;
  first;
  last;
  levels = new Map(LEVELS.map((level) => [level, 0]));
  #messages = new Map();

  add(line) {
    if (line.trim() === '') return;
    this.lines++;
    let message = line;
    const time = TIME.exec(line);
    if (time === null) {
      this.untimed++;
    } else {
      this.first ??= time[1];
      this.last = time[1];
      message = line.slice(time[0].length);
    }
    const level = LEVEL.exec(message);
    if (level !== null) {
      const name = level[1].toUpperCase();
      const known = SYNONYMS.get(name) ?? name;
      this.levels.set(known, this.levels.get(known) + 1);
      // Where a line begins with its level, the message is what comes after.
      if (/^\W*$/.test(message.slice(0, level.index))) {
        message = message.slice(level.index + level[0].length);
      }
    }
    this.#count(message.replace(/^[\s\]:|-]+/, '').slice(0, 200).replace(VARIES, '#').trimEnd());
  }

  #count(message) {
    this.#messages.set(message, (this.#messages.get(message) ?? 0) + 1);
    if (this.#messages.size > MOST_MESSAGES) {
      const common = [...this.#messages].filter(([, count]) => count > 1);
      this.#messages = new Map(common.length < MOST_MESSAGES ? common : []);
    }
  }

  /** The messages that came most often, with numbers and identifiers replaced by `#`. */
  top(count) {
    // Sorting is stable: of those that came equally often, the one that came first.
    return [...this.#messages].sort(([, a], [, b]) => b - a).slice(0, count);
  }
}

/** Lines out of pieces of bytes, which need not end where lines do. */
export function* lines(pieces) {
  const decoder = new TextDecoder();
  let rest = '';
  for (const piece of pieces) {
    const parts = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = parts.pop();
    yield* parts;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
