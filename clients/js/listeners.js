/** Listeners by the name of what they listen to. What one of them throws harms nobody else. */
export class Listeners {
  #of = new Map();

  add(name, listener) {
    const one = { listener };
    if (!this.#of.has(name)) this.#of.set(name, new Set());
    this.#of.get(name).add(one);
    return () => void this.#of.get(name).delete(one);
  }

  tell(name, news) {
    for (const { listener } of [...(this.#of.get(name) ?? [])]) {
      try {
        listener(news);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
