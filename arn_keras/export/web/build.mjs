// Builds the page: its modules into one file, and beside it what LiteRT.js loads.
//   node build.mjs OUT NODE_MODULES
import {copyFile, cp, mkdir} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {argv} from 'node:process';
import {fileURLToPath} from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const [out, packages] = argv.slice(2);
const {build} = createRequire(join(packages, '..', 'package.json'))('esbuild');

await build({
  entryPoints: [join(here, 'page', 'main.js')],
  outfile: join(out, 'page.js'),
  nodePaths: [packages],
  bundle: true,
  format: 'esm',
  minify: true,
  target: 'es2022',
  logLevel: 'error',
});
for (const file of ['index.html', 'page.css']) {
  await copyFile(join(here, 'page', file), join(out, file));
}
// Of the WASM builds these two: with relaxed SIMD, and for browsers without.
const wasm = join(packages, '@litertjs', 'core', 'wasm');
await mkdir(join(out, 'wasm'), {recursive: true});
for (const name of ['litert_wasm_internal', 'litert_wasm_compat_internal']) {
  for (const end of ['js', 'wasm']) {
    await cp(join(wasm, `${name}.${end}`), join(out, 'wasm', `${name}.${end}`));
  }
}
