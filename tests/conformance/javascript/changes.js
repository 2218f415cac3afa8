// The commands for what has become of a file.

import {
  changed, fileLength, readStrict, readUpTo, waitForChange,
} from 'iommap:mmap/changes@0.1.0';
import { Bad } from './command.js';

/** Those that do not depend on the file system's clock. */
const DIFFERENCES = ['shorter', 'longer', 'replaced', 'gone'];

/** What is known of the file of a mapping. */
const known = new Map();

function said({ length, differences }) {
  const words = DIFFERENCES.filter((word) => differences[word]);
  return `${length} ${words.join(',') || '-'}`;
}

/** The last argument is the name of the mapping. */
export const CHANGES = {
  changed(mapping, words) {
    words.end();
    return said(changed(mapping));
  },
  modified(mapping, words) {
    words.end();
    return `${changed(mapping).differences.modified ?? false}`;
  },
  'file-length'(mapping, words) {
    words.end();
    return fileLength(mapping);
  },
  'read-up-to'(mapping, words) {
    const [offset, length] = [words.number('an offset'), words.number('a length')];
    words.end();
    return readUpTo(mapping, offset, length);
  },
  'read-strict'(mapping, words) {
    const [offset, length] = [words.number('an offset'), words.number('a length')];
    words.end();
    return readStrict(mapping, offset, length);
  },
  know(mapping, words, name) {
    words.end();
    known.set(name, changed(mapping));
  },
  'wait-for-change'(mapping, words, name) {
    let time = words.time();
    words.end();
    const state = known.get(name);
    if (state === undefined) throw new Bad(`nothing is known of ${name}`);
    for (;;) {
      const { tag, val } = waitForChange(mapping, state, time);
      if (tag === 'same') return tag;
      if (tag === 'changed') return said(val);
      time = val;
    }
  },
};
