/** What comes for one reader, kept in order until it is read. It has an end, and a limit. */
export class Feed {
  #items = [];
  #end = null;
  #wake = () => {};

  constructor(limit = 10_000) {
    this.limit = limit;
  }

  /** Takes an item; false where the reader is too far behind for one more. */
  push(item) {
    if (this.#end || this.#items.length >= this.limit) return false;
    this.#items.push(item);
    this.#wake();
    return true;
  }

  /** Nothing more comes; with an error, that is thrown behind what is left. */
  end(error) {
    this.#end ??= { error };
    this.#wake();
  }

  /** The items; `drained` is called whenever there is none left. */
  async *read(signal, drained = () => {}) {
    const abort = () => {
      this.#items = [];
      this.#end = { error: signal.reason };
      this.#wake();
    };
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      for (;;) {
        while (this.#items.length) yield this.#items.shift();
        if (this.#end) break;
        drained();
        if (!this.#items.length && !this.#end)
          await new Promise((resolve) => (this.#wake = resolve));
      }
      if (this.#end.error !== undefined) throw this.#end.error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }
}
