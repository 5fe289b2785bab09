// Small bar charts over time, as inline SVG.

import { h, s, say } from "./dom.js";

const [WIDTH, HEIGHT] = [600, 120];

/**
 * A chart whose `update(points)` takes [{at, values}] in the order of `series` ({name, label}),
 * which are stacked; `format` writes a value of the axis.
 */
export function plot(label, series, format) {
  const svg = s("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
  });
  const [top, half, from, to] = [0, 0, 0, 0].map(() => h("span"));
  const legend = series.map((one) => h("span", h("i", { class: `key ${one.name}` }), one.label));
  const node = h(
    "figure",
    { class: "plot" },
    h("figcaption", h("span", label), series.length > 1 && h("span", { class: "legend" }, legend)),
    h(
      "div",
      { class: "axes" },
      h("div", { class: "y", "aria-hidden": "true" }, top, half, h("span", "0")),
      svg,
    ),
    h("div", { class: "x", "aria-hidden": "true" }, from, to),
  );
  return {
    node,
    update(points, summary) {
      const sums = points.map(({ values }) => values.reduce((a, b) => a + b, 0));
      const most = round(Math.max(...sums, 0));
      const step = WIDTH / Math.max(points.length, 1);
      const bars = points.flatMap(({ at, values }, index) => {
        let bottom = HEIGHT;
        const told = `${at}: ${series.map((one, i) => `${format(values[i])} ${one.label.toLowerCase()}`).join(", ")}`;
        return values.map((value, i) => {
          const height = (value / most) * HEIGHT;
          bottom -= height;
          return (
            height > 0 &&
            s(
              "rect",
              {
                class: series[i].name,
                x: index * step + step * 0.1,
                y: bottom,
                width: step * 0.8,
                height,
              },
              s("title", told),
            )
          );
        });
      });
      const lines = [0, 0.5].map((y) =>
        s("line", { x1: 0, x2: WIDTH, y1: y * HEIGHT, y2: y * HEIGHT, class: "grid" }),
      );
      svg.replaceChildren(...lines, ...bars.filter(Boolean));
      svg.setAttribute("aria-label", `${label}: ${summary}`);
      say(top, format(most));
      say(half, format(most / 2));
      say(from, points[0]?.at ?? "");
      say(to, points.at(-1)?.at ?? "");
    },
  };
}

/** The next of 1, 2, 5, 10, 20, … : axes with those are easy to read. */
function round(value) {
  if (value <= 0) return 10;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((times) => times * unit).find((nice) => nice >= value);
}
