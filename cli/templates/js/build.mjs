// Makes a component of a JavaScript module: node build.mjs SOURCE.js WIT WORLD COMPONENT.wasm

import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const [sourcePath, witPath, worldName, output] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath,
  witPath,
  worldName,
  // They would import wasi:http, which a host need not have.
  disableFeatures: ['http', 'fetch-event'],
});
await writeFile(output, component);
