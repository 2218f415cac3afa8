// The commands for the storage behind files.

import { allocate, punchHole, syncEntry, zeroRange } from 'iommap:mmap/storage@0.1.0';

const onRange = (run) => (mapping, words) => {
  const [offset, length] = [words.number('an offset'), words.number('a length')];
  words.end();
  run(mapping, offset, length);
};

export const STORAGE = {
  'punch-hole': onRange(punchHole),
  'zero-range': onRange(zeroRange),
  allocate: onRange(allocate),
  'sync-entry'(mapping, words) {
    words.end();
    syncEntry(mapping);
  },
};
