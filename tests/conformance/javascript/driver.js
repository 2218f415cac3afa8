// Does to mappings what the tests tell it, one command at a time: the driver, in JavaScript. The
// commands are listed at the top of tests/guests/driver/src/lib.rs.

import { Mapping } from 'iommap:mmap/types@0.1.0';
import { preadMany, pwriteMany } from 'iommap:mmap/batch@0.1.0';
import { lock, unlock, wouldLock } from 'iommap:mmap/locks@0.1.0';
import { remap } from 'iommap:mmap/changes@0.1.0';
import { syncMany } from 'iommap:mmap/storage@0.1.0';
import { ATOMICS } from './atomics.js';
import { CHANGES } from './changes.js';
import { STORAGE } from './storage.js';
import { Bad, Words, describe, number } from './command.js';

const MODES = ['read', 'write', 'read-write'];
const OPTIONS = [
  'shared', 'private', 'lock', 'populate', 'nocache', 'create', 'truncate', 'exclusive',
];
const SYNC_MODES = ['sync', 'async'];
const LOCK_MODES = ['shared', 'exclusive'];
const HINTS = ['normal', 'random', 'sequential', 'willneed', 'dontneed'];

const mappings = new Map();

/** What the world exports. */
export function step(command) {
  try {
    const words = Words.split(command);
    const verb = words.text('a command');
    const run = COMMANDS[verb];
    if (run === undefined) throw new Bad(`there is no command ${verb}`);
    return say(run(words));
  } catch (error) {
    if (error instanceof Bad) return `bad ${error.message}`;
    // What the host reports is thrown with the case of `error-code` as its payload.
    const code = error.payload;
    if (code === undefined) throw error;
    // Of many mappings it is said which.
    return 'index' in code ? `err ${code.index} ${name(code.code)}` : `err ${name(code)}`;
  }
}

function name({ tag, val }) {
  return val === undefined ? tag : `${tag} ${val}`;
}

/** Each takes its words, does its work and returns what comes back of it. */
const COMMANDS = {
  open(words) {
    const name = words.text('a name');
    const path = words.text('a path');
    const mode = words.oneOf('a mode', MODES);
    const options = {};
    let size;
    for (let word; (word = words.optionalText()) !== undefined;) {
      if (word.startsWith('size=')) {
        size = number(word.slice('size='.length));
      } else if (word !== '-') {
        for (const option of word.split(',')) options[known(option)] = true;
      }
    }
    keep(name, () => Mapping.open(path, mode, options, size));
  },
  'sync-many'(words) {
    const all = [];
    for (let name; (name = words.optionalText()) !== undefined;) {
      all.push(mappings.get(name) ?? unknown(name));
    }
    syncMany(all);
  },
  drop(words) {
    const name = words.text('a name');
    words.end();
    const mapping = mappings.get(name) ?? unknown(name);
    mappings.delete(name);
    mapping[Symbol.dispose]();
  },
  close: on((mapping, words) => {
    words.end();
    mapping.close();
  }),
  pread: on((mapping, words) => {
    const [offset, length] = [words.number('an offset'), words.number('a length')];
    words.end();
    return mapping.pread(offset, length);
  }),
  pwrite: on((mapping, words) => {
    const [offset, data] = [words.number('an offset'), words.data()];
    words.end();
    mapping.pwrite(offset, data);
  }),
  'pread-many': on((mapping, words) => {
    const ranges = words.ranges();
    words.end();
    return preadMany(mapping, ranges);
  }),
  'pwrite-many': on((mapping, words) => {
    const [ranges, data] = [words.ranges(), words.data()];
    words.end();
    pwriteMany(mapping, ranges, data);
  }),
  sync: on((mapping, words) => {
    const mode = words.oneOf('a mode', SYNC_MODES);
    words.end();
    mapping.sync(mode);
  }),
  'sync-range': on((mapping, words) => {
    const [offset, length] = [words.number('an offset'), words.number('a length')];
    const mode = words.oneOf('a mode', SYNC_MODES);
    words.end();
    mapping.syncRange(offset, length, mode);
  }),
  truncate: on((mapping, words) => {
    const size = words.number('a size');
    words.end();
    mapping.truncate(size);
  }),
  advise: on((mapping, words) => {
    const [offset, length] = [words.number('an offset'), words.number('a length')];
    const hint = words.oneOf('a hint', HINTS);
    words.end();
    mapping.advise(offset, length, hint);
  }),
  position: on((mapping, words) => {
    words.end();
    return mapping.position();
  }),
  lock: on((mapping, words) => {
    const [offset, length] = [words.number('an offset'), words.number('a length')];
    const mode = words.oneOf('a mode', LOCK_MODES);
    const wait = words.time();
    words.end();
    for (;;) {
      const outcome = lock(mapping, offset, length, mode, wait);
      if (outcome !== 'again') return outcome;
    }
  }),
  unlock: on((mapping, words) => {
    const [offset, length] = [words.number('an offset'), words.number('a length')];
    words.end();
    unlock(mapping, offset, length);
  }),
  'would-lock': on((mapping, words) => {
    const [offset, length] = [words.number('an offset'), words.number('a length')];
    const mode = words.oneOf('a mode', LOCK_MODES);
    words.end();
    return `${wouldLock(mapping, offset, length, mode)}`;
  }),
  remap: on((mapping, words) => {
    const name = words.text('a name');
    words.end();
    keep(name, () => remap(mapping));
  }),
};

for (const [verb, run] of Object.entries({ ...ATOMICS, ...CHANGES, ...STORAGE })) {
  COMMANDS[verb] = on(run);
}

/** A command whose first word names a mapping. */
function on(run) {
  return (words) => {
    const name = words.text('a name');
    return run(mappings.get(name) ?? unknown(name), words, name);
  };
}

/** Gives a mapping that is made a name which is free. */
function keep(name, make) {
  if (mappings.has(name)) throw new Bad('this name is in use');
  mappings.set(name, make());
}

function known(option) {
  if (!OPTIONS.includes(option)) throw new Bad(`${option} is none of ${OPTIONS.join(', ')}`);
  return option;
}

function unknown(name) {
  throw new Bad(`there is no mapping ${name}`);
}

function say(answer) {
  if (answer === undefined) return 'ok';
  const text = typeof answer === 'bigint' || typeof answer === 'string';
  return text ? `ok ${answer}` : `ok ${describe(answer)}`;
}
