// The commands for words.

import {
  changeU32, changeU64, compareExchangeU32, compareExchangeU64, loadU32, loadU64, notify, storeU32,
  storeU64, wait,
} from 'iommap:mmap/atomics@0.1.0';
import { Bad } from './command.js';

const BITS = ['32', '64'];
const CHANGES = ['add', 'and', 'or', 'xor', 'exchange'];

/** Words of 32 bits are numbers, and those of 64 bits BigInts. */
const CALLS = {
  32: { load: loadU32, store: storeU32, change: changeU32, compare: compareExchangeU32 },
  64: { load: loadU64, store: storeU64, change: changeU64, compare: compareExchangeU64 },
};

/** The calls for words of the size that comes next, its value if there is one, and where it is. */
function place(words) {
  const bits = words.oneOf('bits', BITS);
  const offset = words.number('an offset');
  const value = () => (bits === '32' ? narrow(words) : words.number('a value'));
  return [CALLS[bits], offset, value];
}

function narrow(words) {
  const value = words.number('a value');
  if (value >= 2n ** 32n) throw new Bad(`${value} has more than 32 bits`);
  return Number(value);
}

export const ATOMICS = {
  load(mapping, words) {
    const [calls, offset] = place(words);
    words.end();
    return BigInt(calls.load(mapping, offset));
  },
  store(mapping, words) {
    const [calls, offset, next] = place(words);
    const value = next();
    words.end();
    calls.store(mapping, offset, value);
  },
  change(mapping, words) {
    const [calls, offset, next] = place(words);
    const how = words.oneOf('how', CHANGES);
    const value = next();
    words.end();
    return BigInt(calls.change(mapping, offset, how, value));
  },
  'compare-exchange'(mapping, words) {
    const [calls, offset, next] = place(words);
    const [expected, replacement] = [next(), next()];
    words.end();
    return BigInt(calls.compare(mapping, offset, expected, replacement));
  },
  wait(mapping, words) {
    const [offset, expected] = [words.number('an offset'), narrow(words)];
    let time = words.time();
    words.end();
    for (;;) {
      const { tag, val } = wait(mapping, offset, expected, time);
      if (tag !== 'again') return tag;
      time = val;
    }
  },
  notify(mapping, words) {
    const [offset, count] = [words.number('an offset'), narrow(words)];
    words.end();
    return BigInt(notify(mapping, offset, count));
  },
};
