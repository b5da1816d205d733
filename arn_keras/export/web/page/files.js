// Files beside the page.

/** Contents of a file, as `json`, `arrayBuffer`, ... */
export async function fetched(name, as) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response[as]();
}
