// A mapping as JavaScript has it: errors are thrown with their code, and `using` closes it.

import { Mapping } from 'iommap:mmap/types@0.1.0';

const EXPLANATIONS = {
  enoent: 'there is no such file. Names are those that the component sees: '
    + '--dir HOST::GUEST shows the host\'s directory HOST as GUEST',
  eacces: 'not granted, or not readable. A directory is granted with `iommap run --dir DIR ...`',
  enotreg: 'not a regular file',
  badarg: 'this path cannot be the name of a file',
  sigbus: 'the file was cut short while it was being read',
  'limit-exceeded': 'a limit of the host is reached: see `iommap run --limit NAME=VALUE ...`',
};

/** What the host reports; `code` is the name that the error has in iommap.wit. */
export class MappingError extends Error {
  constructor({ tag, val }, path) {
    super(`${path}: ${EXPLANATIONS[tag] ?? val ?? tag}`);
    this.name = 'MappingError';
    this.code = tag;
  }
}

// Numbers are exact up to here, and a guest of 32 bits has no room for more than that in one piece.
const LAST_OFFSET = Number.MAX_SAFE_INTEGER;
const LONGEST = 2 ** 31 - 1;

/** What does not fit into the interface's types would end the component, not the call. */
function fitting(number, most) {
  if (!Number.isInteger(number) || number < 0 || number > most) {
    throw new RangeError(`${number} is not a whole number from 0 to ${most}`);
  }
  return BigInt(number);
}

/** A file, mapped for reading. */
export class MappedFile {
  #mapping;
  #path;

  constructor(path) {
    this.#path = path;
    this.#mapping = this.#call(() => Mapping.open(path, 'read', { shared: true }, undefined));
    /** In bytes: what the file held when it was opened. */
    this.size = Number(this.#call(() => this.#mapping.position()));
    this.#call(() => this.#mapping.advise(0n, 0n, 'sequential'));
  }

  /** A Uint8Array of exactly so many bytes. */
  read(offset, length) {
    return this.#call(() => this.#mapping.pread(fitting(offset, LAST_OFFSET), fitting(length, LONGEST)));
  }

  /** All of it, in pieces. */
  * pieces(length = 1 << 20) {
    for (let at = 0; at < this.size; at += length) {
      yield this.read(at, Math.min(length, this.size - at));
    }
  }

  [Symbol.dispose]() {
    this.#mapping[Symbol.dispose]();
  }

  #call(operation) {
    try {
      return operation();
    } catch (error) {
      // componentize-js throws an error whose payload is the case of `error-code`.
      throw error.payload?.tag === undefined ? error : new MappingError(error.payload, this.#path);
    }
  }
}
