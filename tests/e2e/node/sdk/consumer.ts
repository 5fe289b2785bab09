// Compiles under --strict as it stands: right use is taken, each wrong use is an error.
import { Jobcast, JobcastError, JobFailed, type JobEvent, type wire } from "@jobcast/client";
import { useJob } from "@jobcast/client/react";
import { InvalidSignature, verify } from "@jobcast/client/webhooks";

interface Resize {
  url: string;
}

export async function right(signal: AbortSignal): Promise<string> {
  const jobcast = new Jobcast({
    url: new URL("http://127.0.0.1:3000"),
    getToken: async (stale) => stale ?? "fresh",
    WebSocket: globalThis.WebSocket,
  });
  const off: () => void = jobcast.on(
    "connection",
    ({ state, inMs }) => state === "waiting" && inMs,
  );
  jobcast.on("tokens", ({ accessToken, refreshToken }) => [accessToken, refreshToken]);
  off();
  const payload: Resize = { url: "a.png" };
  const job = await jobcast.submit<{ url: string }>("resize-image", payload, {
    runAt: new Date(),
    tags: ["photo"],
    signal,
  });
  for await (const event of job.events({ after: 3, signal })) {
    switch (event.type) {
      case "job:progress":
        event.percent.toFixed();
        break;
      case "job:done":
        event.result;
        break;
      case "gap":
        event.from;
        break;
    }
  }
  for await (const event of jobcast.events()) if (event.type !== "gap") event.cursor.length;
  const { jobs, meta } = await jobcast.jobs({ status: "FAILED" });
  for await (const page of jobcast.jobs()) page.jobs.length + meta.total + jobs.length;
  const { items, meta: of } = await jobcast.page<{ name: string }>("/schedules", { signal });
  items.map(({ name }) => name.length + of.totalPages);
  const channel = jobcast.channel("chat:1");
  const { users } = await channel.join({ after: 3, epoch: "e" });
  await channel.publish({ users, nested: [1, null] });
  channel.on("message", ({ from, data }) => [from.name, data]);
  for await (const event of channel) if (event.type === "presence") event.count.toFixed();
  const stats = await jobcast.request<{ done: number }>("GET", "/stats", { query: { minutes: 5 } });
  stats.done.toFixed();
  try {
    return (await job.result()).url;
  } catch (error) {
    if (error instanceof JobFailed) return `${error.status}: ${error.error}`;
    if (error instanceof JobcastError) return error.details["type"]?.join() ?? error.code;
    if (error instanceof InvalidSignature) return error.name;
    throw error;
  }
}

export function Shown({ jobcast, id }: { jobcast: Jobcast; id?: string }): string {
  const { status, progress, output, error } = useJob<number>(jobcast, id);
  return `${status} ${progress?.percent} ${output.length} ${error}`;
}

export const hook = async (body: string, headers: Headers): Promise<string> =>
  (await verify(body, headers, "secret", { tolerance: 60 })).status;

export const frame = (text: string): wire.Frame => JSON.parse(text);

export async function wrong(jobcast: Jobcast): Promise<void> {
  // @ts-expect-error a number is no address
  new Jobcast({ url: 3 });
  // @ts-expect-error there is no such option
  new Jobcast({ key: "jc_1" });
  // @ts-expect-error a payload is an object
  await jobcast.submit("type", "text");
  // @ts-expect-error there is no such option
  await jobcast.submit("type", {}, { delay: 3 });
  // @ts-expect-error there is no such status
  await jobcast.jobs({ status: "done" });
  // @ts-expect-error nothing is known of a result that is not described
  (await jobcast.job("id").result()).url;
  // @ts-expect-error the cursor of a tenant is text
  jobcast.events({ after: 3 });
  // @ts-expect-error the place in a job is a number
  jobcast.job("id").events({ after: "3" });
  // @ts-expect-error a message is JSON
  await jobcast.channel("a").publish(() => 1);
  // @ts-expect-error there is no such event
  jobcast.on("open", () => {});
  // @ts-expect-error not every event has a percentage
  for await (const event of jobcast.job("id").events()) event.percent;
  // @ts-expect-error handles are made by a Jobcast
  new (await import("@jobcast/client")).Job();
  // @ts-expect-error a secret is needed
  await verify("body", new Headers());
  // @ts-expect-error there is no such kind of event
  const event: JobEvent["type"] = "job:exploded";
  void event;
}
