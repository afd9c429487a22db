// @ts-check
/** What comes before a conversation: the one button, the sign-in form, the choice of a room. */
import { onLanguage, t } from "../i18n.js";
import { problemOf } from "../problems.js";
import { kiosk, readLink, typedCode } from "../link.js";
import { account, rememberJob, rememberedJob, rooms, signIn, signOut } from "../signin.js";
import { button, byId, input, make, showView } from "./dom.js";

/** @typedef {import("../types.js").StartOptions} StartOptions */
/** @typedef {import("../types.js").Room} Room */

export class Start {
  /** @type {Room | null} */
  #room = null;
  /** @type {Room[]} */
  #rooms = [];
  /** @type {"" | "signin.missing" | "problem"} */
  #error = "";
  #errorKind = "";

  /** @param {(options: StartOptions) => void} begin called within the person's gesture */
  constructor(begin) {
    button("talk").addEventListener("click", () => begin(this.wish() ?? {}));
    button("talk-text-only").addEventListener("click", () => begin({ ...this.wish(), textOnly: true }));
    button("rooms-again").addEventListener("click", () => void this.#loadRooms());
    button("other-room").addEventListener("click", () => {
      this.#room = null;
      void this.#loadRooms();
    });
    button("sign-out").addEventListener("click", () => {
      signOut();
      rememberJob(null);
      this.#room = null;
      this.showSignIn();
    });
    byId("signin-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    byId("code-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#useCode(begin);
    });
    addEventListener("hashchange", () => {
      readLink(); // in any case: its code leaves the address
      if (document.body.dataset.view !== "talk") this.open();
    });
    onLanguage(() => this.#words());
  }

  /**
   * What a start would be given now.
   * @returns {StartOptions | null} null: the person has to sign in or to choose first
   */
  wish() {
    const link = readLink();
    if (link.code) return link;
    const kept = kiosk();
    const job = rememberedJob();
    if (job) return { job, ...(kept?.textOnly ? { textOnly: true } : {}) };
    if (kept) return kept;
    const known = account();
    const room = this.#room?.room_id ?? link.room;
    return known && room ? { project: known.projectId, room, token: known.token } : null;
  }

  /** Show whatever has to be done next. */
  open() {
    if (this.wish()) {
      showView("start");
      this.#words();
    } else if (account()) void this.#loadRooms();
    else this.showSignIn();
  }

  showSignIn() {
    showView("signin");
    const { project, room } = readLink();
    input("project").value ||= project;
    byId("code-card").hidden = !project || !room; // a code opens one room, which the link has to name
    this.#setError("");
    byId("code-error").textContent = "";
    byId("signin-title").focus();
  }

  /** The place to type an activation code into. */
  showCode() {
    this.showSignIn();
    /** @type {HTMLDetailsElement} */ (byId("code-card")).open = true;
    input("active-code").focus();
  }

  /** @param {(options: StartOptions) => void} begin */
  #useCode(begin) {
    const code = typedCode(input("active-code").value);
    input("active-code").setAttribute("aria-invalid", String(!code));
    byId("code-error").textContent = code ? "" : t("code.wrong");
    if (!code) {
      input("active-code").focus();
      return byId("code-error").scrollIntoView({ block: "nearest" });
    }
    const { project, room } = readLink();
    input("active-code").value = "";
    begin({ project, room, code });
  }

  #words() {
    const wish = this.wish();
    byId("start-lead").textContent = t(wish?.job ? "start.resume" : "start.lead");
    byId("talk-text").textContent = t(wish?.job ? "start.resumeButton" : "start.button");
    const known = account();
    if (byId("code-error").textContent) byId("code-error").textContent = t("code.wrong");
    byId("whoami").hidden = !known || Boolean(wish?.code);
    /** @type {HTMLElement} */ (byId("whoami").firstElementChild).textContent =
      [known && t("start.account", { project: known.project }), this.#room?.room_name].filter(Boolean).join(" · ");
    this.#showError();
    this.#showRooms();
  }

  async #submit() {
    const [project, user, domain] = ["project", "user", "domain"].map((name) => input(name).value.trim());
    const password = input("password").value;
    const missing = [["project", project], ["user", user], ["password", password]].find(([, value]) => !value);
    for (const name of ["project", "user", "password"]) input(name).setAttribute("aria-invalid", String(!input(name).value));
    if (missing) {
      this.#setError("signin.missing");
      return input(missing[0]).focus();
    }
    this.#setError("");
    const send = button("signin-button");
    send.disabled = true;
    send.textContent = t("signin.busy");
    try {
      await signIn({ project, user, password, domain });
      input("password").value = "";
      this.open();
    } catch (error) {
      this.#errorKind = (await problemOf(error)).kind;
      this.#setError("problem");
    } finally {
      send.disabled = false;
      send.textContent = t("signin.button");
      if (this.#error) input("password").focus();
    }
  }

  /** @param {"" | "signin.missing" | "problem"} error */
  #setError(error) {
    this.#error = error;
    this.#showError();
  }

  #showError() {
    const kind = this.#errorKind;
    const text = this.#error === "problem" ? `${t(`problem.${kind}.title`)}. ${t(`problem.${kind}.do`).split("|")[0]}` : this.#error && t(this.#error);
    byId("signin-error").textContent = text;
  }

  async #loadRooms() {
    const known = account();
    if (!known) return this.showSignIn();
    try {
      this.#rooms = await rooms(known);
    } catch (error) {
      const { kind } = await problemOf(error);
      signOut();
      this.showSignIn();
      this.#errorKind = kind;
      return this.#setError("problem");
    }
    const wanted = readLink().room;
    const open = this.#rooms.filter((room) => room.concurrency !== 0);
    this.#room = this.#rooms.find((room) => room.room_id === wanted) ?? (open.length === 1 && this.#rooms.length === 1 ? open[0] : null);
    if (this.#room) return this.open();
    showView("rooms");
    this.#showRooms();
    byId("rooms-title").focus();
  }

  #showRooms() {
    byId("rooms-none").hidden = this.#rooms.length > 0;
    const items = this.#rooms.map((room) => {
      const closed = room.concurrency === 0;
      const about = [room.room_description, closed ? t("rooms.closed") : room.default_language === "EN" ? "English" : "中文"];
      const choose = make(
        "button", { type: "button", class: "room", "data-room": room.room_id, "aria-disabled": String(closed) },
        make("strong", {}, room.room_name || room.room_id), make("span", {}, about.filter(Boolean).join(" · ")),
      );
      choose.addEventListener("click", () => {
        if (closed) return;
        this.#room = room;
        this.open();
        button("talk").focus();
      });
      return make("li", {}, choose);
    });
    byId("rooms-list").replaceChildren(...items);
  }
}
