// Parts of the page that are loaded when they are needed.
/** How long to wait before a part of the page is asked for again, in milliseconds. */
const PATIENCE = [500, 2000, 8000];

/** Loads a part of the page, again and again where the server does not answer: what is drawn by it
 * would stay empty until the page is loaded anew. */
export async function insist<T>(load: () => Promise<T>, patience = PATIENCE): Promise<T> {
  for (const wait of patience) {
    try {
      return await load();
    } catch {
      await new Promise((done) => setTimeout(done, wait));
    }
  }
  return load();
}
