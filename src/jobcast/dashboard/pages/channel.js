// One channel: who is there, what was said, and to say something.

import { h, say } from "../dom.js";
import { field, form } from "../form.js";
import { number } from "../format.js";
import { session } from "../session.js";
import { card, head, jobLink, link, moment, problem } from "../ui.js";

const MOST_MESSAGES = 500;

export const page = {
  title: "Channel",
  show(main, { path: [, name], signal }) {
    document.title = `${name} · Jobcast`;
    const fault = problem();
    const crowd = h("p", { class: "soft", role: "status" }, "Joining…");
    const messages = h("ol");
    const box = h(
      "div",
      { class: "messages", tabIndex: 0, role: "log", "aria-label": "Messages" },
      messages,
    );
    const none = h("p", { class: "soft" }, "Nothing was said yet.");
    const said = field("text", "Message", {
      required: true,
      autocomplete: "off",
      hint: 'A text, or any JSON, such as {"text": "hello"}.',
    });
    const room = session.client.channel(name);
    const send = async ({ text }) => {
      await room.publish(meant(text));
      said.input.value = "";
      said.input.focus();
    };
    main.append(
      head(name, link("All channels", ["channels"])),
      fault.node,
      crowd,
      card("Messages", none, box),
      form([said], "Send", send, { class: "card inline" }),
    );

    const shown = new Set();
    const add = (node) => {
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      messages.append(node);
      if (messages.childElementCount > MOST_MESSAGES) messages.firstElementChild.remove();
      if (atEnd) box.scrollTop = box.scrollHeight;
    };
    const take = (message) => {
      const key = `${message.offset}`;
      if (shown.has(key)) return;
      shown.add(key);
      none.hidden = true;
      add(messageItem(message));
    };
    const present = ({ count, users }) =>
      say(
        crowd,
        `${number(count)} ${count === 1 ? "connection" : "connections"}, ${number(users)} ${users === 1 ? "user" : "users"}`,
      );
    const lost = () => {
      shown.clear(); // what follows may count anew
      add(h("li", { class: "soft" }, "Some messages are gone and can't be shown."));
    };
    const stops = [room.on("message", take), room.on("presence", present), room.on("gap", lost)];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
      room.leave().catch(() => {}); // the server forgets us anyway
    });
    room.join({ after: 0, signal }).then(present, (error) => {
      if (!signal.aborted) fault.show(error);
    });
  },
};

function meant(text) {
  if (!/^\s*[[{"]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text; // it only looks like JSON
  }
}

const messageItem = ({ from, jobId, data, at }) =>
  h(
    "li",
    h("p", { class: "row soft" }, h("strong", from.name), jobId && jobLink(jobId), moment(at)),
    h(
      "p",
      { class: typeof data === "string" ? "" : "mono" },
      typeof data === "string" ? data : JSON.stringify(data),
    ),
  );
