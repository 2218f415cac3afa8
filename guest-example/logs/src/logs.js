// Summarises log files through a mapping.

import { getArguments } from 'wasi:cli/environment@0.2.12';
import { exitWithCode } from 'wasi:cli/exit@0.2.12';
import { MappedFile, MappingError } from './mapped-file.js';
import { Summary, lines } from './summary.js';

const HELP = `Summarises log files: levels, time range, and what was said most often.

Usage: logs [--top N] [--json] FILE...

Options:
      --top N   show the N most frequent messages [default: 5]
      --json    one object for each file, on a line of its own
  -h, --help    this text

Exit status: 0 if all files were read, 3 if not.`;

// 2 would be the command line's own.
const FAILED = 3;

/** What the world exports: `wasi:cli/run`. */
export const run = {
  run() {
    exitWithCode(main(getArguments().slice(1)));
  },
};

function main(args) {
  let options;
  try {
    options = parse(args);
  } catch (error) {
    console.error(`logs: ${error.message}\nlogs: --help says how it is used`);
    return FAILED;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  let status = 0;
  for (const path of options.files) {
    try {
      print(path, summarise(path), options);
    } catch (error) {
      if (!(error instanceof MappingError)) throw error;
      console.error(`logs: ${error.message} (${error.code})`);
      status = FAILED;
    }
  }
  return status;
}

// The engine has no `util.parseArgs`, and a package would need a bundler.
function parse(args) {
  const options = { files: [], top: 5, json: false, help: false };
  const rest = [...args];
  while (rest.length > 0) {
    const arg = rest.shift();
    if (arg === '--') {
      options.files.push(...rest.splice(0));
    } else if (arg === '--top') {
      const count = rest.shift() ?? '';
      if (!/^\d{1,6}$/.test(count)) throw new Error(`--top wants a number, not "${count}"`);
      options.top = Number(count);
    } else if (arg === '--json') {
      options.json = true;
    } else if (arg === '-h' || arg === '--help') {
      options.help = true;
    } else if (arg.startsWith('-')) {
      throw new Error(`there is no option ${arg}`);
    } else {
      options.files.push(arg);
    }
  }
  if (options.files.length === 0 && !options.help) throw new Error('which file?');
  return options;
}

function summarise(path) {
  using file = new MappedFile(path);
  const summary = new Summary();
  for (const line of lines(file.pieces())) summary.add(line);
  summary.bytes = file.size;
  return summary;
}

function print(path, summary, { top, json }) {
  const levels = [...summary.levels].filter(([, count]) => count > 0);
  const messages = summary.top(top);
  if (json) {
    const { bytes, lines, untimed, first, last } = summary;
    const counted = messages.map(([message, count]) => ({ count, message }));
    console.log(JSON.stringify({
      file: path, bytes, lines, untimed, first, last,
      levels: Object.fromEntries(levels), messages: counted,
    }));
    return;
  }
  console.log(`${path}: ${summary.lines} lines, ${summary.bytes} bytes`);
  if (summary.first !== undefined) console.log(`  from ${summary.first} to ${summary.last}`);
  if (levels.length > 0) {
    console.log(`  ${levels.map(([level, count]) => `${level} ${count}`).join(', ')}`);
  }
  const width = String(messages[0]?.[1] ?? '').length;
  for (const [message, count] of messages) {
    console.log(`  ${String(count).padStart(width)} × ${message}`);
  }
}
