// A list of the API, a page at a time. Which one it is stands in the address: it can be linked,
// reloaded and gone back to.

import { here, requery } from "./router.js";
import { list } from "./session.js";
import { pager } from "./ui.js";

const LIMIT = 25;

/** The pages of the list at `path`; `name` is what the address calls the number of the page. */
export function paged(path, { name = "page", label } = {}) {
  let page = 1;
  const buttons = pager((step) => {
    const next = page + step;
    requery({ ...Object.fromEntries(here().query), [name]: next > 1 && next });
  }, label);
  const ask = (number) => list(path, { page: number, limit: LIMIT });
  return {
    node: buttons.node,
    /** The items of the page that the address names; of the last, where it names one beyond. */
    async items() {
      const wanted = Math.max(1, Math.trunc(here().query.get(name)) || 1);
      let found = await ask(wanted);
      if (wanted > 1 && !found.items.length) found = await ask(found.meta.totalPages || 1);
      ({ page } = found.meta);
      buttons.update(found.meta);
      return found.items;
    },
  };
}
