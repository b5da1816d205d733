// The run's models, each as a function of arrays, on LiteRT's WASM kernels.
import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';

/**
 * Loads LiteRT.js and every model.
 *
 * @param {Object<string, string>} files name of the model: its `.tflite` file.
 * @param {(done: number, all: number) => void} progress told after each model.
 * @returns {Promise<object>} each name with a function of its only input, or of its inputs by name,
 *   to a promise of its output; `Float32Array`s, token ids an `Int32Array`.
 */
export async function loadModels(files, progress) {
  // LiteRT writes its log to standard error; what is no error does not belong among the errors.
  globalThis.Module = {
    printErr: (line) => (/^(INFO|WARNING)/.test(line) ? console.debug(line) : console.error(line)),
  };
  await loadLiteRt(new URL('wasm/', document.baseURI).href);
  const models = {};
  const names = Object.keys(files);
  for (const [index, name] of names.entries()) {
    const url = new URL(files[name], document.baseURI).href;
    models[name] = asFunction(await loadAndCompile(url, {accelerator: 'wasm'}));
    progress(index + 1, names.length);
  }
  return models;
}

function asFunction(model) {
  const shapes = new Map(model.getInputDetails().map(({name, shape}) => [name, [...shape]]));
  const [only] = shapes.keys();
  return async (inputs) => {
    const arrays = ArrayBuffer.isView(inputs) ? {[only]: inputs} : inputs;
    const given = Object.fromEntries(
      Object.entries(arrays).map(([name, array]) => [name, new Tensor(array, shapes.get(name))]),
    );
    const taken = Object.values(await model.run(given));
    const answer = Float32Array.from(taken[0].toTypedArray());
    for (const tensor of [...Object.values(given), ...taken]) tensor.delete();
    return answer;
  };
}
