// Ways in: signing in, registering, a forgotten password.

import { h } from "../dom.js";
import { field, form } from "../form.js";
import { conceal, go } from "../router.js";
import { post, signIn as enter } from "../session.js";
import { link, reveal, toast } from "../ui.js";

const door = (title, ...parts) =>
  h("section", { class: "door" }, h("h1", { tabIndex: -1 }, title), parts);

const email = (more) =>
  field("email", "Email", { kind: "email", autocomplete: "username", required: true, ...more });

const password = (name, label, autocomplete, more) =>
  field(name, label, { kind: "password", autocomplete, required: true, ...more });

const NEW_PASSWORD = { hint: "At least 8 characters." };

const remember = () => field("remember", "Keep me signed in on this browser", { kind: "check" });

export const signIn = {
  title: "Sign in",
  show(main, { query }) {
    const why = query.get("problem");
    const withPassword = form(
      [email(), password("password", "Password", "current-password"), remember()],
      "Sign in",
      async ({ remember, ...given }) => {
        await enter({ tokens: await post("/auth/login", given) }, { remember });
      },
      { extra: [link("Forgotten?", ["forgotten"])] },
    );
    const withKey = form(
      [
        field("key", "API key", {
          kind: "password",
          autocomplete: "off",
          required: true,
          hint: "`jobcast dev` prints one, with a link that signs you in.",
        }),
        remember(),
      ],
      "Sign in with the key",
      ({ key, remember }) => enter({ key }, { remember }),
    );
    main.append(
      door(
        "Sign in",
        why && h("p", { class: "notice bad", role: "alert" }, why),
        withPassword,
        h("details", { open: Boolean(why) }, h("summary", "Use an API key instead"), withKey),
        h("p", { class: "soft" }, "No account yet? ", link("Register", ["register"])),
      ),
    );
  },
};

export const register = {
  title: "Register",
  show(main, { query }) {
    const invite = query.get("invite");
    if (invite) conceal();
    const fields = [
      email(),
      field("name", "Name", {
        autocomplete: "name",
        hint: "What others see in channels. Optional.",
      }),
      password("password", "Password", "new-password", NEW_PASSWORD),
      field("invite", "Invite", {
        value: invite,
        autocomplete: "off",
        hint: "From your invitation, if you have one: you join the team that invites you.",
      }),
    ];
    const send = async (values) => {
      const given = Object.entries(values).filter(([, value]) => value !== null);
      const made = await post("/auth/register", Object.fromEntries(given));
      const { email, password } = values;
      await reveal(
        "Welcome to Jobcast",
        "This is your first API key. It is shown this once: keep it in a safe place.",
        made.apiKey,
      );
      await enter({ tokens: await post("/auth/login", { email, password }) });
    };
    main.append(
      door(
        "Register",
        form(fields, "Register", send),
        h("p", { class: "soft" }, "You have an account? ", link("Sign in", ["sign-in"])),
      ),
    );
  },
};

export const forgotten = {
  title: "Forgotten password",
  show(main) {
    const send = async (given) => {
      await post("/auth/password/reset", given);
      main
        .querySelector("form")
        .replaceWith(
          h(
            "p",
            { class: "notice", role: "status" },
            "If this address has an account, a mail is on its way. Follow its link within an hour.",
          ),
        );
    };
    main.append(
      door(
        "Forgotten password",
        h(
          "p",
          { class: "soft" },
          "Tell us your address: a mail with a link lets you choose a new password.",
        ),
        form([email()], "Send the mail", send),
        h("p", link("Back to sign in", ["sign-in"])),
      ),
    );
  },
};

export const reset = {
  title: "New password",
  show(main, { query }) {
    const token = query.get("token");
    if (token) conceal();
    const fields = [
      field("token", "Code from the mail", { value: token, required: true, autocomplete: "off" }),
      password("newPassword", "New password", "new-password", NEW_PASSWORD),
    ];
    fields[0].node.hidden = Boolean(token);
    const send = async (given) => {
      await post("/auth/password/reset", given).catch((error) => {
        fields[0].node.hidden = false; // it is the code, where it is not the password
        throw error;
      });
      toast("Your password is set. Sign in with it.");
      go(["sign-in"]);
    };
    main.append(door("New password", form(fields, "Set the password", send)));
  },
};
